/** Where everything the app keeps lives: one folder, so that it can be moved, backed up and tested. */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import path from 'node:path';

import { AppError } from './contract/errors.ts';
import { makeFolderSync } from './makeFolder.ts';

export interface Home {
  readonly root: string;
  readonly settingsFile: string;
  /** The chats and the history of measured answers (SQLite). */
  readonly historyFile: string;
  readonly backupsFolder: string;
  /** Files that could not be read and were set aside; never deleted by the app. */
  readonly damagedFolder: string;
  readonly modelsFolder: string;
  /** What can be rebuilt at any time: quantised weights, saved states. */
  readonly cacheFolder: string;
  /** States of conversations, to go on from after a restart. They hold what was said. */
  readonly statesFolder: string;
  readonly logFile: string;
  /** The key of the local API, for this user's eyes only. */
  readonly apiKeyFile: string;
}

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly userFolder: string;
}

/** The system's usual place for what programs keep. A relative XDG path is ignored, as its specification asks. */
function usualRoot({ env, platform, userFolder }: Surroundings): string {
  if (platform === 'win32') {
    return path.win32.join(env['LOCALAPPDATA'] || path.win32.join(userFolder, 'AppData', 'Local'), 'Nemoflash');
  }
  if (platform === 'darwin') return path.join(userFolder, 'Library', 'Application Support', 'Nemoflash');
  const xdg = env['XDG_DATA_HOME'];
  return path.join(xdg && path.isAbsolute(xdg) ? xdg : path.join(userFolder, '.local', 'share'), 'nemoflash');
}

/** An explicit folder wins over NEMOFLASH_HOME, which wins over the system's usual place. Touches no disk. */
export function resolveHome(
  override?: string,
  surroundings: Surroundings = { env: process.env, platform: process.platform, userFolder: homedir() },
): Home {
  const named = override || surroundings.env['NEMOFLASH_HOME'];
  const root = named ? path.resolve(named) : usualRoot(surroundings);
  const within = (...parts: string[]) => path.join(root, ...parts);
  return {
    root,
    settingsFile: within('settings.json'),
    historyFile: within('chats.db'),
    backupsFolder: within('backups'),
    damagedFolder: within('damaged'),
    modelsFolder: within('models'),
    cacheFolder: within('cache'),
    statesFolder: within('cache', 'states'),
    logFile: within('logs', 'nemoflash.log'),
    apiKeyFile: within('api-key'),
  };
}

/**
 * Where the quantised weights of a model are kept: next to the model in the layout of the Hugging Face cache
 * (ROOT/models--OWNER--NAME/snapshots/COMMIT), in the app's own cache for any other folder. Touches no disk.
 */
export function weightsFolder(cacheFolder: string, modelFolder: string): string {
  const repoFolder = path.dirname(path.dirname(modelFolder));
  if (path.basename(path.dirname(modelFolder)) === 'snapshots' && path.basename(repoFolder).startsWith('models--')) {
    return path.join(repoFolder, 'nemoflash', path.basename(modelFolder));
  }
  const hash = createHash('sha256').update(modelFolder).digest('hex').slice(0, 12);
  return path.join(cacheFolder, 'weights', `${path.basename(modelFolder)}-${hash}`);
}

/** Makes the folders that are missing, for this user's eyes only (0700). Throws DISK. */
export function makeHomeSync(home: Home): Home {
  const folders = [
    home.root,
    home.backupsFolder,
    home.damagedFolder,
    home.modelsFolder,
    home.cacheFolder,
    path.dirname(home.logFile),
  ];
  for (const folder of folders) {
    try {
      makeFolderSync(folder, 0o700);
    } catch (cause) {
      const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
      throw new AppError(
        'DISK',
        `Nemoflash cannot use the folder ${folder} (${reason}). Make it writable, or choose another with --home or NEMOFLASH_HOME.`,
        { cause },
      );
    }
  }
  return home;
}
