import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it, onTestFinished, vi } from 'vitest';

import { defaultSettings } from '../../../main/contract/domain.ts';
import type { Settings, UpdateStatus } from '../../../main/contract/domain.ts';
import { keepInstaller } from '../../../main/desktop/installer.ts';
import { silentLog } from '../../../main/log.ts';
import { signRelease } from '../../../main/signRelease.ts';
import { Updates } from '../../../main/updates.ts';
import type { ReleaseInfo, Updater } from '../../../main/updates.ts';
import { testHome } from '../../support/home.ts';

const keys = generateKeyPairSync('ed25519');
const publicKey = keys.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');

/** As electron-builder writes it. */
const latestYml = `version: 2.0.0
files:
  - url: Nemoflash-2.0.0.AppImage
    sha512: abcd==
    size: 5
path: Nemoflash-2.0.0.AppImage
sha512: abcd==
releaseDate: '2026-11-26T00:00:00.000Z'
`;
const signature = /^signature: (.*)$/m.exec(signRelease(latestYml, keys.privateKey))?.[1];
const release: ReleaseInfo = {
  version: '2.0.0',
  files: [{ url: 'Nemoflash-2.0.0.AppImage', sha512: 'abcd==', size: 5 }],
  signature,
};

function setUp(options: { settings?: Partial<Settings>; release?: ReleaseInfo | null; key?: string } = {}) {
  let current: Settings = { ...defaultSettings, updates: 'on', ...options.settings };
  const listeners = new Set<(settings: Settings) => void>();
  const offered = options.release === undefined ? release : options.release;
  const updater = {
    checkForUpdates: vi.fn<Updater['checkForUpdates']>(async () =>
      offered === null
        ? { isUpdateAvailable: false, updateInfo: release }
        : { isUpdateAvailable: true, updateInfo: offered },
    ),
    downloadUpdate: vi.fn<Updater['downloadUpdate']>(async (onShare) => {
      onShare(0.5);
      return ['/cache/Nemoflash-2.0.0.AppImage'];
    }),
    quitAndInstall: vi.fn(),
  };
  const states: UpdateStatus[] = [];
  const keepPrevious = vi.fn(async () => undefined);
  const updates = new Updates({
    settings: {
      get current() {
        return current;
      },
      onChange(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    publish: (status) => states.push(status),
    log: silentLog,
    note: () => undefined,
    publicKey: options.key ?? publicKey,
    updater: async () => updater,
    keepPrevious,
  });
  onTestFinished(() => updates.dispose());
  const change = (patch: Partial<Settings>): void => {
    current = { ...current, ...patch };
    for (const listener of listeners) listener(current);
  };
  return { updates, updater, states, keepPrevious, change };
}

const offline = { hub: { ...defaultSettings.hub, offline: true } };

describe('updates', () => {
  it.each([
    ['before the user was asked', { updates: 'ask' } as const, 'FORBIDDEN'],
    ['when switched off', { updates: 'off' } as const, 'FORBIDDEN'],
    ['under "never use the network"', offline, 'OFFLINE'],
  ])('fetch nothing %s, also when told to', async (_name, settings, code) => {
    const { updates, updater } = setUp({ settings });
    await expect(updates.check()).rejects.toMatchObject({ code });
    expect(updater.checkForUpdates).not.toHaveBeenCalled();
    expect(updates.status()).toEqual({ state: 'idle' });
  });

  it('begin when the user agrees, and end with a version that is ready, its predecessor kept', async () => {
    const { updates, updater, states, keepPrevious, change } = setUp({ settings: { updates: 'ask' } });
    change({ updates: 'on' });
    await vi.waitFor(() => expect(updates.status()).toEqual({ state: 'ready', version: '2.0.0' }));
    expect(states.map(({ state }) => state)).toEqual(['checking', 'downloading', 'downloading', 'ready']);
    expect(keepPrevious).toHaveBeenCalledExactlyOnceWith('2.0.0', ['/cache/Nemoflash-2.0.0.AppImage']);
    expect(updater.quitAndInstall).not.toHaveBeenCalled();
    updates.install();
    expect(updater.quitAndInstall).toHaveBeenCalledOnce();
  });

  it.each([
    ['no signature', { ...release, signature: undefined }],
    ['a signature of something else', { ...release, version: '2.0.1' }],
    ['a file that was exchanged', { ...release, files: [{ url: 'Nemoflash-2.0.0.AppImage', sha512: 'evil==' }] }],
    ['a file that was added', { ...release, files: [...release.files, { url: 'x', sha512: 'evil==' }] }],
    ['a signature that is no text', { ...release, signature: 7 }],
  ])('refuse %s before anything is fetched', async (_name, bad) => {
    const { updates, updater } = setUp({ release: bad });
    expect(await updates.check()).toMatchObject({ state: 'failed', error: { code: 'CHECKSUM' } });
    expect(updater.downloadUpdate).not.toHaveBeenCalled();
    expect(() => updates.install()).toThrow('no new version');
  });

  it('say so when there is nothing new, as in a release that is staged for others', async () => {
    const { updates, updater } = setUp({ release: null });
    expect(await updates.check()).toEqual({ state: 'current' });
    expect(updater.downloadUpdate).not.toHaveBeenCalled();
  });

  it('stop looking when switched off, and ask once for two questions at a time', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { updates, updater, change } = setUp({ release: null });
    await Promise.all([updates.check(), updates.check()]);
    expect(updater.checkForUpdates).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(24 * 60 * 60 * 1000);
    expect(updater.checkForUpdates).toHaveBeenCalledTimes(2);
    change({ updates: 'off' });
    await vi.advanceTimersByTimeAsync(72 * 60 * 60 * 1000);
    expect(updater.checkForUpdates).toHaveBeenCalledTimes(2);
  });

  it('fail in words, and may be tried again', async () => {
    const { updates, updater } = setUp();
    updater.checkForUpdates.mockRejectedValueOnce(new Error('socket hang up /home/mira'));
    await vi.waitFor(() => expect(updates.status()).toMatchObject({ state: 'failed', error: { code: 'NETWORK' } }));
    expect(await updates.check()).toMatchObject({ state: 'ready' });
  });

  it('are not offered by a build that knows no key', async () => {
    const { updates, updater } = setUp({ key: '' });
    expect(await updates.check()).toEqual({ state: 'unsupported' });
    expect(updater.checkForUpdates).not.toHaveBeenCalled();
  });

  it('keep the two newest installers for going back', async () => {
    const folder = path.join(testHome(), 'updates');
    mkdirSync(folder);
    for (const [index, name] of ['0.1.0-a.exe', '0.2.0-a.exe'].entries()) {
      writeFileSync(path.join(folder, name), name);
      utimesSync(path.join(folder, name), index + 1, index + 1);
    }
    const fetched = path.join(testHome(), 'setup.exe');
    writeFileSync(fetched, 'new');
    await keepInstaller(folder, '0.2.0', '0.3.0', [fetched]);
    expect(readdirSync(folder).sort()).toEqual(['0.2.0-a.exe', '0.3.0-setup.exe']);
  });
});
