/** The same scenarios in Electron itself, where it is installed. */
import { realElectron } from '../support/electron.ts';
import { apiScenario } from './scenarios/api.ts';
import { chatScenarios } from './scenarios/chat.ts';
import { firstStartScenario } from './scenarios/firstStart.ts';
import { securityScenarios } from './scenarios/security.ts';

securityScenarios(realElectron);
chatScenarios(realElectron);
firstStartScenario(realElectron);
apiScenario(realElectron);
