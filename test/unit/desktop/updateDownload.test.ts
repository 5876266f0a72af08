/** electron-updater itself, fetching a new version from a server that breaks off: it goes on where it was. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

import { AppImageUpdater } from 'electron-updater';
import { ElectronHttpExecutor } from 'electron-updater/out/electronHttpExecutor.js';
import { expect, it, onTestFinished, vi } from 'vitest';

import { makeResumable } from '../../../main/desktop/installer.ts';
import { testHome } from '../../support/home.ts';
import { randomOf } from '../../support/random.ts';

const random = randomOf(5);
const file = Uint8Array.from({ length: 3_000_000 }, () => random.below(256));
const sha512 = createHash('sha512').update(file).digest('base64');
const release = { version: '2.0.0', path: 'Nemoflash-2.0.0.AppImage', sha512, releaseDate: '2026-11-26' };

const folderOf = (home: string): string => path.join(home, 'partial');
const keptBytes = (home: string): number =>
  Math.max(0, ...readdirSync(folderOf(home)).map((name) => statSync(path.join(folderOf(home), name)).size));

/** Sends so many bytes of each answer and breaks off once they are kept; null: all. Remembers what was asked for. */
async function startServer(home: string, cuts: (number | null)[], whole = file) {
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const cut = cuts.shift() ?? null;
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': whole.length - from,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${whole.length - 1}/${whole.length}` } : {}),
    });
    if (cut === null) response.end(whole.subarray(from));
    else {
      response.flushHeaders();
      response.write(whole.subarray(from, from + cut));
      void vi.waitUntil(() => keptBytes(home) >= from + cut, 50_000).finally(() => response.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${release.path}`), ranges };
}

/** As one start of the installed app has it. */
function updaterIn(home: string, url: URL) {
  const config = path.join(home, 'app-update.yml');
  writeFileSync(config, 'updaterCacheDirName: nemoflash-updater\n');
  vi.stubEnv('APPIMAGE', path.join(home, 'Nemoflash-1.0.0.AppImage'));
  onTestFinished(() => void vi.unstubAllEnvs());
  const app = {
    ...{ version: '1.0.0', name: 'nemoflash', isPackaged: true, appUpdateConfigPath: config },
    ...{ userDataPath: home, baseCachePath: path.join(home, 'cache') },
    whenReady: async () => undefined,
    relaunch: () => undefined,
    quit: () => undefined,
    onQuit: () => undefined,
  };
  const updater = new AppImageUpdater(null, app);
  // What the updater makes for itself when Electron is there.
  Object.assign(updater, { httpExecutor: new ElectronHttpExecutor() });
  updater.logger = null;
  updater.on('error', () => undefined);
  updater.autoDownload = false;
  updater.disableDifferentialDownload = true;
  const info = { ...release, files: [{ url: release.path, sha512 }] };
  updater.setFeedURL({
    provider: 'custom',
    updateProvider: class {
      readonly isUseMultipleRangeRequest = false;
      readonly fileExtraDownloadHeaders = null;
      setRequestHeaders(): void {
        // None are needed.
      }
      async getLatestVersion() {
        return info;
      }
      resolveFiles() {
        return [{ url, info: info.files[0] }];
      }
    } as never,
  });
  const fetchFile = (address: string, headers: object): Promise<Response> =>
    fetch(address, { headers: { ...headers } });
  makeResumable(updater, folderOf(home), fetchFile, 1);
  return updater;
}

it('goes on after a broken connection, also in the next start of the app, and ends with the right file', async () => {
  const home = testHome();
  const partial = folderOf(home);
  mkdirSync(partial);
  writeFileSync(path.join(partial, 'of-another-version.partial'), 'x');
  // In the first start the server soon sends nothing any more; in the second it breaks off once.
  const first = await startServer(home, [1_000_000, 0, 0, 0, 0]);
  const broken = updaterIn(home, first.url);
  await broken.checkForUpdates();
  await expect(broken.downloadUpdate()).rejects.toThrow();
  expect(first.ranges).toEqual([undefined, ...Array<string>(4).fill('bytes=1000000-')]);
  expect(readdirSync(partial)).toHaveLength(1);

  const second = await startServer(home, [500_000, null]);
  const updater = updaterIn(home, second.url);
  await updater.checkForUpdates();
  const shares: number[] = [];
  updater.on('download-progress', ({ percent }) => shares.push(percent));
  const [fetched = ''] = await updater.downloadUpdate();
  expect(second.ranges).toEqual(['bytes=1000000-', 'bytes=1500000-']);
  expect(readFileSync(fetched).equals(Buffer.from(file))).toBe(true);
  expect(readdirSync(partial)).toEqual([]);
  expect(shares[0]).toBeGreaterThan(33);
  expect(shares.at(-1)).toBe(100);
});

it('a file that is not the announced one is thrown away', async () => {
  const home = testHome();
  const { url } = await startServer(
    home,
    [],
    file.map((byte) => 255 - byte),
  );
  const updater = updaterIn(home, url);
  await updater.checkForUpdates();
  await expect(updater.downloadUpdate()).rejects.toMatchObject({ code: 'CHECKSUM' });
  expect(readdirSync(folderOf(home))).toEqual([]);
});
