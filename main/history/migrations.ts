/**
 * The schema, as the steps that built it. Forward only and additive: a released step never changes, columns and tables
 * are never dropped, so an older version of the app can still read the chats of a newer one.
 */
import type { Database } from './database.ts';

/** Step n leads from version n to version n + 1 (PRAGMA user_version). */
export const migrations: readonly string[] = [
  // 1: chats, and their messages as a tree. `seq` orders messages by writing, so a parent always precedes its children.
  `CREATE TABLE chats (
     id TEXT PRIMARY KEY,
     title TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     updated_at INTEGER NOT NULL,
     pinned INTEGER NOT NULL DEFAULT 0,
     system_prompt TEXT NOT NULL DEFAULT '',
     sampling TEXT NOT NULL DEFAULT '{}',
     draft TEXT NOT NULL DEFAULT '',
     leaf_id TEXT,
     deleted_at INTEGER
   );
   CREATE TABLE messages (
     seq INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     chat_id TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
     parent_id TEXT,
     role TEXT NOT NULL,
     content TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     status TEXT NOT NULL,
     error TEXT,
     stats TEXT
   );
   CREATE INDEX messages_of_chat ON messages (chat_id, seq);
   CREATE INDEX messages_streaming ON messages (status) WHERE status = 'streaming';`,

  // 2: which messages the full-text index covers. The index itself is made where SQLite can (searchIndex.ts).
  `ALTER TABLE messages ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;
   CREATE INDEX messages_unindexed ON messages (seq) WHERE indexed = 0;`,

  // 3: per-token stamps of the newest answers, as float64 triples.
  `CREATE TABLE timings (
     seq INTEGER PRIMARY KEY,
     message_id TEXT NOT NULL UNIQUE REFERENCES messages (id) ON DELETE CASCADE,
     stamps BLOB NOT NULL
   );`,

  // 4: measurements. They hold no text and outlive the chats they come from; what is compared shares an environment.
  `CREATE TABLE environments (
     hash TEXT PRIMARY KEY,
     first_seen INTEGER NOT NULL,
     fields TEXT NOT NULL
   );
   CREATE TABLE answer_records (
     id INTEGER PRIMARY KEY,
     message_id TEXT,
     at INTEGER NOT NULL,
     environment TEXT NOT NULL REFERENCES environments (hash),
     itl_p50_ns INTEGER,
     output_tokens INTEGER NOT NULL,
     figures TEXT NOT NULL
   );
   CREATE INDEX answer_records_of_message ON answer_records (message_id) WHERE message_id IS NOT NULL;
   CREATE INDEX answer_records_of_environment ON answer_records (environment, id);
   CREATE TABLE benchmarks (
     id INTEGER PRIMARY KEY,
     at INTEGER NOT NULL,
     environment TEXT NOT NULL REFERENCES environments (hash),
     kind TEXT NOT NULL,
     result TEXT NOT NULL
   );
   CREATE TABLE startups (
     id INTEGER PRIMARY KEY,
     at INTEGER NOT NULL,
     app_version TEXT NOT NULL,
     marks TEXT NOT NULL
   );`,

  // 5: what answers were made of: token ids as int32, and as JSON how likely each was where that was asked for.
  `CREATE TABLE answer_tokens (
     seq INTEGER PRIMARY KEY,
     message_id TEXT NOT NULL UNIQUE REFERENCES messages (id) ON DELETE CASCADE,
     tokens BLOB NOT NULL,
     details TEXT
   );`,

  // 6: what a chat does when its context is full, and which part of the conversation an answer was given from.
  `ALTER TABLE chats ADD COLUMN context TEXT;
   ALTER TABLE messages ADD COLUMN cut TEXT;`,
];

export const schemaVersion = migrations.length;

export function versionOf(database: Database): number {
  return Number(database.get('PRAGMA user_version')?.['user_version'] ?? 0);
}

/** Brings an older file up to date, all steps or none. A newer file is left as it is. */
export function migrate(database: Database): void {
  if (versionOf(database) >= schemaVersion) return;
  database.transaction(() => {
    // Read again inside the transaction: another program may have been faster.
    for (const step of migrations.slice(versionOf(database))) database.exec(step);
    database.exec(`PRAGMA user_version = ${schemaVersion}`);
  });
}
