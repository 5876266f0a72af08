/** The machine's sleep: kept off while an answer is being written, and asked about the GPU when it is over. */
import { powerMonitor, powerSaveBlocker } from 'electron';

import type { EngineService } from '../engine/engineApi.ts';

/** `onShutdown` may be the last that runs before the system ends the app. Returns the function that ends it. */
export function mindPower(engine: EngineService, onShutdown: () => void): () => void {
  let blocker: number | null = null;
  const release = (): void => {
    if (blocker !== null) powerSaveBlocker.stop(blocker);
    blocker = null;
  };
  const unsubscribe = engine.onStatus((status) => {
    const answering = status.state === 'ready' && status.running > 0;
    if (!answering) release();
    else blocker ??= powerSaveBlocker.start('prevent-app-suspension');
  });
  const probe = (): void => void engine.probe();
  powerMonitor.on('resume', probe);
  powerMonitor.on('shutdown', onShutdown);
  return () => {
    powerMonitor.off('resume', probe);
    powerMonitor.off('shutdown', onShutdown);
    unsubscribe();
    release();
  };
}
