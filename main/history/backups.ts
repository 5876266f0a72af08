/** One copy of the history a day, the newest seven, within a size cap. No timers: the caller asks when it is at rest. */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, open, rename, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';

import { syncFolder } from '../atomicFile.ts';
import type { Log } from '../log.ts';
import { hasSoundTables, isCorruption } from './database.ts';
import type { Database } from './database.ts';

export const maxBackups = 7;
export const defaultBackupCapBytes = 2 * 1024 ** 3;
/** Pages copied before other work gets a turn: 1 MiB. */
const pagesPerTurn = 256;

/** Oldest first. */
export function backupNames(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^chats-\d{4}-\d\d-\d\d\.db$/.test(name))
    .sort();
}

interface BackupOptions {
  readonly database: Database;
  readonly folder: string;
  readonly log: Log;
  /** Of all backups together. */
  readonly capBytes?: number | undefined;
  readonly now?: (() => number) | undefined;
  /** Told when a fresh copy is not sound, which means that the history is not either. */
  readonly onDamage?: (() => void) | undefined;
}

export class Backups {
  readonly #options: BackupOptions;
  readonly #capBytes: number;
  readonly #now: () => number;
  #running: Promise<boolean> | null = null;

  constructor(options: BackupOptions) {
    this.#options = options;
    this.#capBytes = options.capBytes ?? defaultBackupCapBytes;
    this.#now = options.now ?? Date.now;
  }

  /** Makes today's copy if there is none yet. True when it made one; a failure is logged and tried again next time. */
  runIfDue(): Promise<boolean> {
    this.#running ??= this.#run()
      .catch((error: unknown) => {
        this.#options.log.error('backup.failed', error);
        return false;
      })
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  /** Call before closing the database. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<boolean> {
    const { folder, log } = this.#options;
    const name = `chats-${new Date(this.#now()).toISOString().slice(0, 10)}.db`;
    if (backupNames(folder).includes(name) || this.#isEmpty()) return false;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if (!(await this.#hasRoom())) return false;

    const temporary = path.join(folder, `${name}.tmp`);
    try {
      await rm(temporary, { force: true });
      await backup(this.#options.database.connection, temporary, { rate: pagesPerTurn });
      if (!sealCopy(temporary)) {
        log.warning('backup.unsound');
        this.#options.onDamage?.();
        return false;
      }
      await syncFile(temporary);
      await rename(temporary, path.join(folder, name));
      await syncFolder(folder);
    } finally {
      await rm(temporary, { force: true });
    }
    await this.#dropOld();
    log.info('backup.made', { name });
    return true;
  }

  #isEmpty(): boolean {
    return this.#options.database.get('SELECT 1 FROM chats LIMIT 1') === undefined;
  }

  async #hasRoom(): Promise<boolean> {
    const { database, folder, log } = this.#options;
    const pragma = (name: string) => Number(database.get(`PRAGMA ${name}`)?.[name] ?? 0);
    const sizeBytes = pragma('page_count') * pragma('page_size');
    const { bavail, bsize } = await statfs(folder);
    const freeBytes = bavail * bsize;
    // Twice: a backup must never be what fills the disk.
    if (sizeBytes <= this.#capBytes && sizeBytes * 2 <= freeBytes) return true;
    log.warning('backup.noRoom', { sizeBytes, freeBytes, capBytes: this.#capBytes });
    return false;
  }

  async #dropOld(): Promise<void> {
    const { folder } = this.#options;
    let totalBytes = 0;
    for (const [index, name] of backupNames(folder).toReversed().entries()) {
      const file = path.join(folder, name);
      totalBytes += (await stat(file)).size;
      if (index >= maxBackups || totalBytes > this.#capBytes) await rm(file);
    }
  }
}

/** Makes the copy one self-contained file and reads all of it. False when it is not sound. */
function sealCopy(file: string): boolean {
  const connection = new DatabaseSync(file);
  try {
    connection.exec('PRAGMA journal_mode = DELETE');
    return hasSoundTables(connection);
  } catch (error) {
    if (isCorruption(error)) return false;
    throw error;
  } finally {
    connection.close();
  }
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
