/** Scenes of the model pages for the fake bridge. Each stands alone: it runs in the page. */
import type { Fake } from './fakeBridge.ts';

export function onboarding(fake: Fake): void {
  fake.setInstalled([]);
  fake.setEngine({ state: 'empty', lastError: null });
}

export function downloading(fake: Fake): void {
  fake.setInstalled([]);
  fake.setEngine({ state: 'empty', lastError: null });
  fake.showDownload({});
}

export function diskFull(fake: Fake): void {
  fake.setInstalled([]);
  fake.setEngine({ state: 'empty', lastError: null });
  const message =
    '/home/mira/.nemoflash/models has 0.41 GB free, and 3.72 GB are needed. Make room, then resume: nothing fetched so far is lost.';
  const reason = { code: 'DISK_FULL' as const, message, retryable: true };
  fake.showDownload({ state: 'paused', bytesPerSecond: null, etaSeconds: null, reason });
}

export function gated(fake: Fake): void {
  fake.setInstalled([]);
  fake.setEngine({ state: 'empty', lastError: null });
  const message =
    'hub.invalid refuses the file model-00001-of-00002.safetensors. Its owner must grant access: accept the conditions on its page, then add your access token in the settings.';
  const reason = { code: 'HUB_UNAUTHORISED' as const, message, retryable: false };
  fake.showDownload({ state: 'failed', doneBytes: 0, bytesPerSecond: null, etaSeconds: null, reason });
}

export function checking(fake: Fake): void {
  fake.setInstalled([]);
  fake.setEngine({ state: 'empty', lastError: null });
  fake.showDownload({ state: 'verifying', doneBytes: 5_520_000_000, bytesPerSecond: null, etaSeconds: null });
}

/** Two models; tasks that are begun do not end. */
export function library(fake: Fake): void {
  const first = {
    id: 'nvidia/Nemotron-Flash-3B-Instruct@1a2b3c4',
    name: 'Nemotron-Flash-3B-Instruct',
    repo: 'nvidia/Nemotron-Flash-3B-Instruct',
    revision: '1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d',
    folder:
      '/home/mira/.nemoflash/models/models--nvidia--Nemotron-Flash-3B-Instruct/snapshots/1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d',
    sizeBytes: 5_520_000_000,
    origin: 'downloaded' as const,
    installedAt: 1_790_000_000_000,
    verifiedAt: 1_790_000_000_000,
    licenceId: 'cc-by-nc-4.0',
  };
  fake.setInstalled([first, fake.baseModel]);
  fake.hang.push('models.makeFormat');
}

/** The first model is ready, and nothing was written yet. */
export function firstSteps(fake: Fake): void {
  fake.setSettings({ tourSeen: false });
}
