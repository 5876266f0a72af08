/**
 * One connection to the history file and the three things every user of it needs: how safely to commit, what a
 * transaction is, and what SQLite's errors mean to a person. Calls block for one statement; each touches one chat.
 */
import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue, StatementSync } from 'node:sqlite';

import { AppError } from '../contract/errors.ts';

/** SQLite's primary result codes that we tell apart (https://sqlite.org/rescode.html). */
const resultCode = { busy: 5, readonly: 8, io: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const;

export type Row = Readonly<Record<string, unknown>>;

function resultCodeOf(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null;
  // The low byte is the primary code; the rest refines it.
  return error.errcode & 0xff;
}

export function isCorruption(error: unknown): boolean {
  const code = resultCodeOf(error);
  return code === resultCode.corrupt || code === resultCode.notADatabase;
}

/**
 * Reads all pages that hold tables. Table by table, because a check of the whole would also compare the full-text index
 * with itself word by word, which takes ten times as long and guards what can be made anew.
 */
export function hasSoundTables(connection: DatabaseSync): boolean {
  const tables = connection
    .prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'`)
    .all();
  return tables.every(({ name }) => {
    const check = connection.prepare(`PRAGMA quick_check('${String(name).replaceAll("'", "''")}')`);
    return check.get()?.['quick_check'] === 'ok';
  });
}

/** Turns SQLite's errors into sentences with a next step; leaves everything else alone. */
export function explainSqlite(error: unknown): unknown {
  const explain = (code: 'DISK' | 'DISK_FULL' | 'BUSY', text: string) =>
    new AppError(code, text, { retryable: code !== 'DISK', cause: error });
  switch (resultCodeOf(error)) {
    case resultCode.full:
      return explain('DISK_FULL', 'The disk is full, so the chats cannot be saved. Free some space and try again.');
    case resultCode.busy:
      return explain('BUSY', 'Another program is using the chats. Try again in a moment.');
    case resultCode.readonly:
      return explain('DISK', 'The chats cannot be saved because their folder is read-only. Make it writable.');
    case resultCode.cannotOpen:
      return explain('DISK', 'The file of the chats cannot be opened. Check that its folder exists and is yours.');
    case resultCode.io:
      return explain('DISK', 'Reading or writing the chats failed. Check the disk for errors.');
    case resultCode.corrupt:
    case resultCode.notADatabase:
      return explain('DISK', 'The file of the chats is damaged. Start Nemoflash again: it will be repaired then.');
    default:
      return error;
  }
}

export class Database {
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #onCorruption: () => void;
  #open = true;

  /** `onCorruption` runs before the error is thrown, so that the next start knows to look closely. */
  constructor(file: string, onCorruption: () => void = () => undefined) {
    this.#onCorruption = onCorruption;
    this.#connection = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout: 5000 });
    // FULL: a committed message has reached the disk before the call returns, also when the power goes.
    try {
      this.#connection.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;');
    } catch (error) {
      this.#connection.close();
      throw explainSqlite(error);
    }
  }

  /** For node:sqlite's backup(), which wants the connection itself. */
  get connection(): DatabaseSync {
    return this.#connection;
  }

  all(sql: string, ...values: SQLInputValue[]): readonly Row[] {
    return this.#guard(() => this.#statement(sql).all(...values));
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#guard(() => this.#statement(sql).get(...values));
  }

  /** Returns the number of rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#guard(() => Number(this.#statement(sql).run(...values).changes));
  }

  exec(sql: string): void {
    this.#guard(() => this.#connection.exec(sql));
  }

  /** All or nothing; on the disk when it returns. Inside another transaction it becomes part of that one. */
  transaction<T>(work: () => T): T {
    if (this.#connection.isTransaction) return work();
    return this.#guard(() => {
      this.#connection.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        this.#connection.exec('COMMIT');
        return result;
      } catch (error) {
        // A full disk may have rolled back already.
        if (this.#connection.isTransaction) this.#connection.exec('ROLLBACK');
        throw error;
      }
    });
  }

  /**
   * For text that is written again within a second (drafts, answers in the making): safe from a crash or a kill of the
   * process, not from power loss, and without waiting for the disk.
   */
  relaxed<T>(work: () => T): T {
    this.exec('PRAGMA synchronous = NORMAL');
    try {
      return this.transaction(work);
    } finally {
      this.exec('PRAGMA synchronous = FULL');
    }
  }

  /** Idempotent. The last connection to close folds the write-ahead log into the file. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#statements.clear();
    this.#connection.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (isCorruption(error)) this.#onCorruption();
      throw explainSqlite(error);
    }
  }
}
