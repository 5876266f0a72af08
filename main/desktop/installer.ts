/** electron-updater as the installed app uses it, and the copies that let one go back. */
import { copyFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';

import type { Updater } from '../updates.ts';

/** The makers' public key, put in when the bundle is built (build.mjs); empty in a build that never updates itself. */
export const updateKey = process.env['NEMOFLASH_UPDATE_KEY'] ?? '';

/** Loaded late: it takes a while, and most starts do not need it. */
export async function loadUpdater(): Promise<Updater> {
  const { autoUpdater } = await import('electron-updater');
  autoUpdater.autoDownload = false;
  autoUpdater.autoInstallOnAppQuit = true;
  autoUpdater.allowDowngrade = false;
  autoUpdater.allowPrerelease = false;
  autoUpdater.logger = null;
  // What went wrong comes with the promise; an error event without a listener would end the app.
  autoUpdater.on('error', () => undefined);
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
