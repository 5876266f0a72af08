/** electron-updater as the installed app uses it, and the copies that let one go back. */
import { copyFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';

import type { Session } from 'electron';

import type { NetworkRequest } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { Updater } from '../updates.ts';
import { downloadResumably } from './resumableDownload.ts';
import type { FetchFile } from './resumableDownload.ts';

/** The makers' public key, put in when the bundle is built (build.mjs); empty in a build that never updates itself. */
export const updateKey = process.env['NEMOFLASH_UPDATE_KEY'] ?? '';

/** What electron-updater fetches whole files with: a public class of its module, behind a field that it keeps to itself. */
interface FileFetcher {
  download(url: URL, destination: string, options: FileFetchOptions): Promise<unknown>;
}
interface FileFetchOptions {
  readonly headers?: Readonly<Record<string, string>> | null;
  readonly sha512?: string | null;
  readonly onProgress?: (progress: { readonly percent: number; readonly transferred: number }) => void;
}

/**
 * Makes an updater's download of a whole file one that goes on after a kill: by itself it begins anew. The other kind,
 * of only the blocks that differ, stays as it is.
 */
export function makeResumable(updater: object, folder: string, fetchFile: FetchFile, delayMs?: number): void {
  const fetcher: Partial<FileFetcher> | undefined = (updater as { httpExecutor?: FileFetcher }).httpExecutor;
  if (typeof fetcher?.download !== 'function') throw new Error('electron-updater fetches files in another way now');
  fetcher.download = async (url, destination, { headers, sha512, onProgress }) => {
    if (!sha512) throw new AppError('CHECKSUM', 'The release names no digest of its file, so it is not taken.');
    const onBytes = (transferred: number, total: number): void =>
      onProgress?.({ transferred, percent: (100 * transferred) / total });
    const file = { url: url.href, headers: headers ?? {}, sha512, destination, folder, onBytes };
    await downloadResumably(file, fetchFile, delayMs);
    return destination;
  };
}

type Note = (request: NetworkRequest) => void;

/** Everything a session asks of the network comes into the list of requests. */
function noteRequests(from: Session, note: Note): void {
  const begun = new Map<number, number>();
  const end = (id: number, url: string, status: number | null, receivedBytes: number, problem: string | null): void => {
    const at = begun.get(id) ?? Date.now();
    begun.delete(id);
    const durationMs = Date.now() - at;
    note({ at, host: new URL(url).host, purpose: 'update', status, receivedBytes, durationMs, problem });
  };
  from.webRequest.onSendHeaders(({ id }) => void begun.set(id, Date.now()));
  from.webRequest.onCompleted(({ id, url, statusCode, responseHeaders }) => {
    const [length] = responseHeaders?.['content-length'] ?? responseHeaders?.['Content-Length'] ?? [];
    end(id, url, statusCode, Number(length ?? 0), null);
  });
  from.webRequest.onErrorOccurred(({ id, url, error }) => end(id, url, null, 0, error));
}

/** Loaded late: it takes a while, and most starts do not need it. `folder` holds what is not fetched to its end yet. */
export async function loadUpdater(folder: string, note: Note): Promise<Updater> {
  const { autoUpdater } = await import('electron-updater');
  autoUpdater.autoDownload = false;
  // A version is installed when the user says so; until then it waits in the updater's cache.
  autoUpdater.autoInstallOnAppQuit = false;
  autoUpdater.allowDowngrade = false;
  autoUpdater.allowPrerelease = false;
  autoUpdater.logger = null;
  // What went wrong comes with the promise; an error event without a listener would end the app.
  autoUpdater.on('error', () => undefined);
  const { netSession } = autoUpdater;
  noteRequests(netSession, note);
  makeResumable(autoUpdater, folder, (url, headers) => netSession.fetch(url, { headers: { ...headers } }));
  return {
    checkForUpdates: () => autoUpdater.checkForUpdates(),
    async downloadUpdate(onShare) {
      const listener = ({ percent }: { percent: number }): void => onShare(percent / 100);
      autoUpdater.on('download-progress', listener);
      try {
        return await autoUpdater.downloadUpdate();
      } finally {
        autoUpdater.off('download-progress', listener);
      }
    },
    quitAndInstall: () => autoUpdater.quitAndInstall(),
  };
}

const keptVersions = 2;

/**
 * An AppImage is replaced by its successor, so the running one is copied; of the other kinds each installer that was
 * fetched is kept. The two newest stay in `folder`; running one installs that version over whatever is there.
 */
export async function keepInstaller(folder: string, runningVersion: string, version: string, files: readonly string[]) {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const running = process.env['APPIMAGE'];
  const [fetched] = files;
  const source = running ?? fetched;
  if (source === undefined) return;
  const name = `${running === undefined ? version : runningVersion}-${path.basename(source)}`;
  await copyFile(source, path.join(folder, name));
  const entries = await Promise.all(
    (await readdir(folder)).map(async (entry) => ({ entry, at: (await stat(path.join(folder, entry))).mtimeMs })),
  );
  const old = entries.sort((a, b) => b.at - a.at).slice(keptVersions);
  await Promise.all(old.map(({ entry }) => rm(path.join(folder, entry), { force: true })));
}
