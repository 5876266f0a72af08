/** Opens the history whatever state it is in, and closes it. */
import { existsSync } from 'node:fs';

import type { Home } from '../home.ts';
import type { Log } from '../log.ts';
import { Backups } from './backups.ts';
import { ChatStore } from './chatStore.ts';
import { Database, explainSqlite, isCorruption } from './database.ts';
import { isUsable, restoreBackup, setAside, suspect } from './integrity.ts';
import { migrate } from './migrations.ts';
import { salvage } from './salvage.ts';

export interface History {
  readonly database: Database;
  readonly chats: ChatStore;
  readonly backups: Backups;
  /** What the user should be told about how opening went; null when all was well. */
  readonly notice: string | null;
  /** Waits for a backup in progress. Idempotent. */
  close(): Promise<void>;
}

interface HistoryOptions {
  readonly now?: (() => number) | undefined;
  /** False searches as on a SQLite without FTS5. */
  readonly allowFts?: boolean | undefined;
  /** False for tools that may run beside the app: they refuse a damaged file and leave the repair to it. */
  readonly repair?: boolean | undefined;
}

/**
 * A damaged file is set aside, the newest good backup put back, what the damaged file still gives is added, and `notice`
 * says so. Throws AppError only for what the user can mend: a folder without access, a full disk, a busy file.
 */
export function openHistorySync(home: Home, log: Log, options: HistoryOptions = {}): History {
  let opened: { readonly database: Database; readonly notice: string | null };
  try {
    const at = new Date(options.now?.() ?? Date.now());
    opened = options.repair === false ? { database: openMigrated(home), notice: null } : openOrRepair(home, log, at);
  } catch (error) {
    throw explainSqlite(error);
  }
  const { database, notice } = opened;
  const backups = new Backups({
    database,
    folder: home.backupsFolder,
    log,
    now: options.now,
    onDamage: () => suspect(home.historyFile),
  });
  const close = async () => {
    await backups.settled();
    database.close();
  };
  return { database, chats: new ChatStore(database, options), backups, notice, close };
}

function openOrRepair(home: Home, log: Log, at: Date): { database: Database; notice: string | null } {
  if (isUsable(home)) {
    try {
      return { database: openMigrated(home), notice: null };
    } catch (error) {
      if (!isCorruption(error) && !isCorruption((error as Error).cause)) throw error;
    }
  }
  const aside = setAside(home, at);
  const day = restoreBackup(home);
  const database = openMigrated(home);
  const added = existsSync(aside) ? salvage(aside, database) : 0;
  log.warning('history.repaired', { aside, backup: day, added });
  const from = day ? `The backup of ${day} was put back` : 'There was no backup, so it started afresh';
  const saved = added > 0 ? `, and ${added} more messages were saved from the damaged file` : '';
  return {
    database,
    notice: `The file of the chats was damaged. ${from}${saved}. The damaged file is kept as ${aside}.`,
  };
}

function openMigrated(home: Home): Database {
  const database = new Database(home.historyFile, () => suspect(home.historyFile));
  try {
    migrate(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
