/** A service of models and a loopback hub for tests, in fresh folders, with parts small enough to be many. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { expect } from 'vitest';

import type { DownloadStatus } from '../../main/contract/domain.ts';
import { makeHomeSync, resolveHome } from '../../main/home.ts';
import type { TransferOptions } from '../../main/models/fileDownload.ts';
import { ModelsService } from '../../main/models/modelsService.ts';
import type { ModelsServiceOptions } from '../../main/models/modelsOptions.ts';
import { defaultRetry } from '../../main/models/retry.ts';
import { SettingsStore } from '../../main/settings.ts';
import { freshFolder, removeFolder } from './home.ts';
import { startHub } from './hub.ts';
import type { HubOptions, HubServer } from './hub.ts';
import { randomOf } from './random.ts';

export const golden = path.resolve(import.meta.dirname, '../golden/tiny');
export const repo = 'nvidia/Nemotron-Flash-3B-Instruct';
export const partBytes = 64 * 1024;
export const weightBytes = statSync(path.join(golden, 'model.safetensors')).size;
const open: (() => Promise<void> | void)[] = [];

/** Closes and removes what the functions below have made: for afterEach. */
export async function closeAll(): Promise<void> {
  for (const close of open.splice(0).reverse()) await close();
}

export async function hubWith(options: Partial<HubOptions> = {}): Promise<HubServer> {
  const hub = await startHub({ repos: { [repo]: golden }, ...options });
  open.push(() => hub.close());
  return hub;
}

/** A folder in memory where the system has one: two hundred downloads sync a great deal. */
export function memoryFolder(): string {
  if (!existsSync('/dev/shm')) return folder();
  const made = mkdtempSync('/dev/shm/nemoflash-download-');
  open.push(() => removeFolder(made));
  return made;
}

export const smallBytes = 300_000;

/** A repository with a few parts' worth of random bytes for weights. The caller removes it. */
export function smallRepo(seed: number): string {
  const made = freshFolder('repo');
  const random = randomOf(seed);
  cpSync(path.join(golden, 'config.json'), path.join(made, 'config.json'));
  writeFileSync(
    path.join(made, 'model.safetensors'),
    Uint8Array.from({ length: smallBytes }, () => random.below(256)),
  );
  return made;
}

export function folder(): string {
  const made = freshFolder('download');
  open.push(() => removeFolder(made));
  return made;
}

/** Connections per file, parts and patience of the tests: a hub that never stops sending is never late, however busy. */
export const transfer: TransferOptions = {
  partBytes,
  lanes: 3,
  stall: { windowMs: 60_000, minBytes: 1 },
  retry: { ...defaultRetry, firstDelayMs: 1, maxDelayMs: 5, maxFailures: 12 },
};

export async function serviceFor(hub: HubServer, root = folder(), options: Partial<ModelsServiceOptions> = {}) {
  const home = makeHomeSync(resolveHome(root));
  const settings = SettingsStore.openSync(home.settingsFile, home.damagedFolder);
  await settings.update({ hub: { ...settings.current.hub, endpoint: hub.url } });
  const events: DownloadStatus[] = [];
  const service = new ModelsService({
    home,
    settings,
    onChanged: () => undefined,
    onProgress: (status) => events.push(status),
    hfCache: null,
    reserveBytes: 0,
    transfer,
    ...options,
  });
  open.push(() => service.close());
  return { service, settings, home, events };
}

export async function fetchAll(service: ModelsService): Promise<DownloadStatus> {
  await service.download({ repo, revision: 'main', acceptLicence: true });
  return service.settled(repo);
}

export function expectSame(installed: string, source = golden): void {
  const names = readdirSync(installed).sort();
  expect(names).toContain('model.safetensors');
  for (const name of names) {
    expect(readFileSync(path.join(installed, name)).equals(readFileSync(path.join(source, name))), name).toBe(true);
  }
}
