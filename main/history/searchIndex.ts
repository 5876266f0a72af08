/**
 * Finding words in chats. With FTS5 a trigram index finds the candidates; without it, or for words too short for
 * trigrams, messages are scanned. Either way the same comparison decides, so both find the same messages.
 */
import { setImmediate } from 'node:timers/promises';

import type { SearchHit } from '../contract/domain.ts';
import type { Database, Row } from './database.ts';

const maxHits = 100;
const maxWords = 16;
const snippetCharsBefore = 40;
const snippetChars = 160;
/** Below three characters a word has no trigram. */
const trigramChars = 3;
/** Messages added to the index per transaction, so that no call takes long. */
const indexBatch = 50;
/** After so long a search lets other work go first. */
const turnMs = 8;

function wordsOf(query: string): readonly string[] {
  return query.normalize('NFC').toWellFormed().split(/\s+/u).filter(Boolean).slice(0, maxWords);
}

/** Ignores case the way Unicode folds it; offsets are those of the text itself. */
function matcherOf(word: string): RegExp {
  return new RegExp(word.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'iu');
}

/** Plain text on one line around the first match; null when a word is missing. */
function snippetOf(
  text: string,
  matchers: readonly RegExp[],
): Pick<SearchHit, 'snippet' | 'matchStart' | 'matchEnd'> | null {
  const matches = matchers.map((matcher) => matcher.exec(text));
  const first = matches[0];
  if (!first || matches.some((match) => match === null)) return null;
  const matchEnd = first.index + first[0].length;
  const start = wholeCharacter(text, Math.max(0, first.index - snippetCharsBefore));
  const end = wholeCharacter(text, Math.min(text.length, Math.max(matchEnd, start + snippetChars)));
  // One character for one, so the offsets stay true.
  const snippet = text.slice(start, end).replace(/\s/g, ' ');
  return { snippet, matchStart: first.index - start, matchEnd: matchEnd - start };
}

/** Moves a cut out of the middle of a surrogate pair. */
function wholeCharacter(text: string, index: number): number {
  const code = text.charCodeAt(index);
  return index > 0 && code >= 0xdc00 && code <= 0xdfff ? index - 1 : index;
}

function hitOf(row: Row, matchers: readonly RegExp[]): SearchHit | null {
  const found = typeof row['text'] === 'string' ? snippetOf(row['text'], matchers) : null;
  if (!found) return null;
  const messageId = row['message_id'] === null ? null : String(row['message_id']);
  return { chatId: String(row['chat_id']), messageId, title: String(row['title']), ...found };
}

/** Cuts long work into turns, so that frames of a running answer are not held up. */
class Turns {
  #startedAt = performance.now();

  async next(): Promise<void> {
    if (performance.now() - this.#startedAt < turnMs) return;
    await setImmediate();
    this.#startedAt = performance.now();
  }
}

export class SearchIndex {
  readonly #database: Database;
  /** False where SQLite was built without FTS5: searching scans then, which finds the same and takes longer. */
  readonly usesFts: boolean;

  constructor(database: Database, allowFts = true) {
    this.#database = database;
    const available = database.get(`SELECT 1 AS yes FROM pragma_module_list WHERE name = 'fts5'`) !== undefined;
    this.usesFts = allowFts && available;
    // Contentless: only the trigrams are kept; the text stays in one place. Not a migration, because it is derived.
    if (this.usesFts) {
      database.exec(
        `CREATE VIRTUAL TABLE IF NOT EXISTS message_search
         USING fts5 (content, tokenize = 'trigram', content = '', contentless_delete = 1)`,
      );
    }
  }

  /** Takes in up to 50 messages that are complete and not yet covered. Returns how many. */
  coverSome(): number {
    return this.usesFts ? this.#indexBatch() : 0;
  }

  /** Call before a covered message changes or goes. */
  forget(seq: number): void {
    if (!this.usesFts) return;
    this.#database.run('DELETE FROM message_search WHERE rowid = ?', seq);
    this.#database.run('UPDATE messages SET indexed = 0 WHERE seq = ?', seq);
  }

  /** Every word must occur. Titles first, then messages, the newest chats and messages first; at most 100. */
  async search(query: string): Promise<readonly SearchHit[]> {
    const words = wordsOf(query);
    if (words.length === 0) return [];
    const matchers = words.map(matcherOf);
    const turns = new Turns();
    while (this.coverSome() > 0) await turns.next();
    const hits = this.#titles().flatMap((row) => hitOf(row, matchers) ?? []);
    for (const seq of this.#candidates(words)) {
      if (hits.length >= maxHits) break;
      await turns.next();
      const row = this.#message(seq);
      const hit = row && hitOf(row, matchers);
      if (hit) hits.push(hit);
    }
    return hits.slice(0, maxHits);
  }

  #titles(): readonly Row[] {
    return this.#database.all(
      `SELECT id AS chat_id, NULL AS message_id, title, title AS text FROM chats
       WHERE deleted_at IS NULL ORDER BY updated_at DESC`,
    );
  }

  #message(seq: unknown): Row | undefined {
    return this.#database.get(
      `SELECT m.chat_id, m.id AS message_id, c.title, m.content AS text
       FROM messages m JOIN chats c ON c.id = m.chat_id WHERE m.seq = ?`,
      Number(seq),
    );
  }

  /** The numbers of a superset of the messages that match, in the order of the hits. */
  #candidates(words: readonly string[]): readonly unknown[] {
    const indexable = words.filter((word) => [...word].length >= trigramChars);
    const from = 'SELECT m.seq FROM messages m JOIN chats c ON c.id = m.chat_id WHERE c.deleted_at IS NULL';
    const order = 'ORDER BY c.updated_at DESC, m.seq DESC';
    if (!this.usesFts || indexable.length === 0) return this.#database.all(`${from} ${order}`).map(({ seq }) => seq);
    const phrases = indexable.map((word) => `"${word.replaceAll('"', '""')}"`).join(' AND ');
    const rows = this.#database.all(
      `${from} AND m.seq IN
         (SELECT rowid FROM message_search WHERE message_search MATCH ? UNION
          SELECT seq FROM messages WHERE indexed = 0) ${order}`,
      phrases,
    );
    return rows.map(({ seq }) => seq);
  }

  #indexBatch(): number {
    return this.#database.transaction(() => {
      const rows = this.#database.all(
        `SELECT seq, content FROM messages WHERE indexed = 0 AND status <> 'streaming' ORDER BY seq LIMIT ?`,
        indexBatch,
      );
      for (const row of rows) {
        const seq = Number(row['seq']);
        this.#database.run(
          'INSERT OR REPLACE INTO message_search (rowid, content) VALUES (?, ?)',
          seq,
          String(row['content']),
        );
        this.#database.run('UPDATE messages SET indexed = 1 WHERE seq = ?', seq);
      }
      return rows.length;
    });
  }
}
