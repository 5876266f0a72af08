/** Reads what a damaged history still gives, and adds it to a sound one. */
import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue } from 'node:sqlite';

import { defaultSampling } from '../contract/domain.ts';
import type { Database, Row } from './database.ts';
import { readChatHeader, readMessage } from './rows.ts';
import { titleFrom } from './title.ts';

const chatColumns = [
  'id',
  'title',
  'created_at',
  'updated_at',
  'pinned',
  'system_prompt',
  'sampling',
  'draft',
  'leaf_id',
  'deleted_at',
  'context',
];
const messageColumns = [
  'id',
  'chat_id',
  'parent_id',
  'role',
  'content',
  'created_at',
  'status',
  'error',
  'stats',
  'cut',
];

/** Walks a table from both ends until a page cannot be read, so that one bad page costs only its own rows. */
function readableRows(connection: DatabaseSync, table: 'chats' | 'messages'): readonly Row[] {
  const rows = new Map<unknown, Row>();
  for (const direction of ['ASC', 'DESC']) {
    try {
      // NOT INDEXED: an index may be damaged where the table is not.
      const sql = `SELECT rowid AS place, * FROM ${table} NOT INDEXED ORDER BY rowid ${direction}`;
      for (const row of connection.prepare(sql).iterate()) {
        if (rows.has(row['place'])) break;
        rows.set(row['place'], row);
      }
    } catch {
      // The end of what can be read from this side.
    }
  }
  return [...rows.values()].sort((a, b) => Number(a['place']) - Number(b['place']));
}

function valuesOf(row: Row, columns: readonly string[]): SQLInputValue[] {
  return columns.map((column) => {
    const value = row[column];
    return typeof value === 'string' || typeof value === 'number' ? value : null;
  });
}

const placeholders = (columns: readonly string[]) => columns.map(() => '?').join(', ');

/**
 * Adds chats and messages that `target` lacks; of chats both know, the damaged file is the newer one. Returns the number
 * of messages added, 0 when the file gives nothing at all.
 */
export function salvage(damagedFile: string, target: Database): number {
  let connection: DatabaseSync;
  try {
    connection = new DatabaseSync(damagedFile);
  } catch {
    return 0;
  }
  try {
    const chats = readableRows(connection, 'chats').filter((row) => readChatHeader(row) !== null);
    const messages = readableRows(connection, 'messages').filter((row) => readMessage(row)?.content);
    return target.transaction(() => {
      for (const row of chats) addChat(target, row);
      return messages.reduce((added, row) => added + addMessage(target, row), 0);
    });
  } finally {
    connection.close();
  }
}

function addChat(target: Database, row: Row): void {
  const header = readChatHeader(row);
  if (!header) return;
  const updates = chatColumns.slice(1).map((column) => `${column} = excluded.${column}`);
  target.run(
    `INSERT INTO chats (${chatColumns.join(', ')}) VALUES (${placeholders(chatColumns)})
     ON CONFLICT (id) DO UPDATE SET ${updates.join(', ')}`,
    header.id,
    header.title,
    header.createdAt,
    header.updatedAt,
    header.pinned ? 1 : 0,
    header.systemPrompt,
    JSON.stringify(header.sampling),
    header.draft,
    header.leafId,
    typeof row['deleted_at'] === 'number' ? row['deleted_at'] : null,
    JSON.stringify(header.context),
  );
}

function addMessage(target: Database, row: Row): number {
  const message = readMessage(row);
  if (!message) return 0;
  // The chat's own row may have been on the bad page.
  target.run(
    'INSERT OR IGNORE INTO chats (id, title, created_at, updated_at, sampling) VALUES (?, ?, ?, ?, ?)',
    message.chatId,
    titleFrom(message.content),
    message.createdAt,
    message.createdAt,
    JSON.stringify(defaultSampling),
  );
  return target.run(
    `INSERT OR IGNORE INTO messages (${messageColumns.join(', ')}) VALUES (${placeholders(messageColumns)})`,
    ...valuesOf(
      { ...row, role: message.role, status: message.status, content: message.content, created_at: message.createdAt },
      messageColumns,
    ),
  );
}
