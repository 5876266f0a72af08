/** Is this file a sound history? And if it is not: keep it, put back the newest good backup, and save what it still holds. */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import type { Home } from '../home.ts';
import { backupNames } from './backups.ts';
import { hasSoundTables, isCorruption } from './database.ts';

/** Up to this size every start checks the whole file (in well under 0.1 s); larger ones after a crash or when suspected. */
const alwaysCheckedBytes = 64 * 1024 * 1024;

/** Its presence makes the next start check the whole file. */
const suspicionOf = (file: string) => `${file}.check`;

export function suspect(file: string): void {
  writeFileSync(suspicionOf(file), '');
}

/** A run that ended well folds the write-ahead log away, so one that is still there tells of a crash (or a neighbour). */
function needsCheck(file: string): boolean {
  return statSync(file).size <= alwaysCheckedBytes || existsSync(`${file}-wal`) || existsSync(suspicionOf(file));
}

/** False for what is not a database, too. Throws when the file cannot be opened at all. */
export function isSound(file: string): boolean {
  try {
    const connection = new DatabaseSync(file, { timeout: 5000 });
    try {
      return hasSoundTables(connection);
    } finally {
      connection.close();
    }
  } catch (error) {
    if (isCorruption(error)) return false;
    throw error;
  }
}

/** True when the file may be used as it is; a file that does not exist yet is fine. */
export function isUsable(home: Home): boolean {
  const file = home.historyFile;
  if (!existsSync(file)) return true;
  // Emptied by something else: SQLite would take it for a new one and the chats would be gone without a word.
  if (statSync(file).size === 0) return backupNames(home.backupsFolder).length === 0;
  if (needsCheck(file) && !isSound(file)) return false;
  rmSync(suspicionOf(file), { force: true });
  return true;
}

/** Moves the file and its log out of the way, together. Returns where the file is now. */
export function setAside(home: Home, at: Date): string {
  mkdirSync(home.damagedFolder, { recursive: true, mode: 0o700 });
  const aside = path.join(home.damagedFolder, `chats-${at.toISOString().replaceAll(':', '-')}.db`);
  renameSync(home.historyFile, aside);
  if (existsSync(`${home.historyFile}-wal`)) renameSync(`${home.historyFile}-wal`, `${aside}-wal`);
  rmSync(`${home.historyFile}-shm`, { force: true });
  rmSync(suspicionOf(home.historyFile), { force: true });
  return aside;
}

/** Puts back the newest backup that is sound. Returns its day (YYYY-MM-DD), or null when there is none. */
export function restoreBackup(home: Home): string | null {
  if (!existsSync(home.backupsFolder)) return null;
  for (const name of backupNames(home.backupsFolder).toReversed()) {
    const backup = path.join(home.backupsFolder, name);
    if (!isSound(backup)) continue;
    const temporary = `${home.historyFile}.restored`;
    copyFileSync(backup, temporary);
    renameSync(temporary, home.historyFile);
    return name.slice('chats-'.length, -'.db'.length);
  }
  return null;
}
