/**
 * A download in a process of its own, to be killed: node downloadChild.ts HUB HOME PART_BYTES [STALL_MS]. Ends with 0 when the model
 * is installed.
 */
import process from 'node:process';

import { makeHomeSync, resolveHome } from '../../main/home.ts';
import { ModelsService } from '../../main/models/modelsService.ts';
import { defaultRetry } from '../../main/models/retry.ts';
import { SettingsStore } from '../../main/settings.ts';

const [endpoint = '', root = '', partBytes = '0', stallMs = '60000'] = process.argv.slice(2);
const repo = 'nvidia/Nemotron-Flash-3B-Instruct';
const home = makeHomeSync(resolveHome(root));
const settings = SettingsStore.openSync(home.settingsFile, home.damagedFolder);
await settings.update({ hub: { ...settings.current.hub, endpoint } });
const service = new ModelsService({
  home,
  settings,
  onChanged: () => undefined,
  onProgress: () => undefined,
  hfCache: null,
  reserveBytes: 0,
  transfer: {
    partBytes: Number(partBytes),
    lanes: 2,
    stall: { windowMs: Number(stallMs), minBytes: 1 },
    retry: { ...defaultRetry, firstDelayMs: 1, maxDelayMs: 5, maxFailures: 12 },
  },
});
await service.download({ repo, revision: 'main', acceptLicence: true });
process.exitCode = (await service.settled(repo)).state === 'done' ? 0 : 1;
await service.close();
