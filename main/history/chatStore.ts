/**
 * Chats on disk. What returns from a method that adds or finishes a message has reached the disk; drafts and answers in
 * the making are saved in a lighter way (Database.relaxed).
 */
import { randomUUID } from 'node:crypto';

import { defaultContextPolicy } from '../contract/domain.ts';
import type {
  Chat,
  ChatSummary,
  ContextPolicy,
  Message,
  SamplingOptions,
  SearchHit,
  TokenDetail,
  TokenTiming,
} from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { AnswerTimings } from './answerTimings.ts';
import { AnswerTokens } from './answerTokens.ts';
import type { Database, Row } from './database.ts';
import { readChatHeader, readMessages, readSummary } from './rows.ts';
import type { ChatHeader } from './rows.ts';
import { SearchIndex } from './searchIndex.ts';
import { titleFrom, untitled } from './title.ts';

/** Deleted chats can be restored for this long. */
const restorableMs = 30 * 24 * 3600 * 1000;

export interface ChatPatch {
  readonly title?: string | undefined;
  readonly pinned?: boolean | undefined;
  readonly systemPrompt?: string | undefined;
  readonly sampling?: SamplingOptions | undefined;
  readonly context?: ContextPolicy | undefined;
  readonly draft?: string | undefined;
  readonly leafId?: string | undefined;
}

interface ChatStoreOptions {
  readonly now?: (() => number) | undefined;
  readonly allowFts?: boolean | undefined;
}

/** What an answer was made of. */
export interface AnswerMake {
  /** Decode to exactly the answer's text. */
  readonly tokens: Int32Array;
  readonly details: readonly TokenDetail[];
}

export class ChatStore {
  readonly answerTokens: AnswerTokens;
  readonly #timings: AnswerTimings;
  readonly #database: Database;
  readonly #index: SearchIndex;
  readonly #now: () => number;

  constructor(database: Database, options: ChatStoreOptions = {}) {
    this.#database = database;
    this.answerTokens = new AnswerTokens(database);
    this.#timings = new AnswerTimings(database);
    this.#index = new SearchIndex(database, options.allowFts);
    this.#now = options.now ?? Date.now;
  }

  /** Pinned ones first, then by last use. Deleted ones are left out. */
  list(): readonly ChatSummary[] {
    return this.#database
      .all('SELECT * FROM chats WHERE deleted_at IS NULL ORDER BY pinned = 1 DESC, updated_at DESC, rowid DESC')
      .map(readSummary)
      .filter((chat) => chat !== null);
  }

  create(defaults: {
    readonly systemPrompt: string;
    readonly sampling: SamplingOptions;
    readonly context?: ContextPolicy;
  }): Chat {
    const now = this.#now();
    const { systemPrompt, sampling, context = defaultContextPolicy } = defaults;
    const header = { title: untitled, createdAt: now, updatedAt: now, pinned: false, draft: '', leafId: null };
    const chat: Chat = { id: randomUUID(), ...header, systemPrompt, sampling, context, messages: [] };
    this.insert(chat);
    return this.get(chat.id);
  }

  /** Writes a whole chat, as imports do. Parents must come before their children, ids must be new. */
  insert(chat: Chat): void {
    this.#database.transaction(() => {
      this.#database.run(
        `INSERT INTO chats (id, title, created_at, updated_at, pinned, system_prompt, sampling, context, draft, leaf_id)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        chat.id,
        chat.title,
        chat.createdAt,
        chat.updatedAt,
        chat.pinned ? 1 : 0,
        chat.systemPrompt,
        JSON.stringify(chat.sampling),
        JSON.stringify(chat.context),
        chat.draft,
        chat.leafId,
      );
      for (const message of chat.messages) this.#insertMessage(message);
    });
  }

  /** Throws NOT_FOUND. */
  get(chatId: string): Chat {
    const header = this.#header(chatId);
    const messages = readMessages(this.#database.all('SELECT * FROM messages WHERE chat_id = ? ORDER BY seq', chatId));
    const leafIsThere = messages.some((message) => message.id === header.leafId);
    return { ...header, leafId: leafIsThere ? header.leafId : (messages.at(-1)?.id ?? null), messages };
  }

  /** Throws NOT_FOUND, also for a leaf of another chat. An empty title means: name it by its first message again. */
  update(chatId: string, patch: ChatPatch): Chat {
    this.#header(chatId);
    const light = Object.entries(patch).every(
      ([key, value]) => value === undefined || key === 'draft' || key === 'leafId',
    );
    const write = () => this.#applyPatch(chatId, patch);
    if (light) this.#database.relaxed(write);
    else this.#database.transaction(write);
    return this.get(chatId);
  }

  /** The chat disappears and can be restored for 30 days. Throws NOT_FOUND. */
  remove(chatId: string): void {
    this.#header(chatId);
    this.#database.run('UPDATE chats SET deleted_at = ? WHERE id = ?', this.#now(), chatId);
  }

  /** Throws NOT_FOUND for a chat that never was or is gone for good. */
  restore(chatId: string): Chat {
    if (this.#database.run('UPDATE chats SET deleted_at = NULL WHERE id = ?', chatId) === 0) throw noSuchChat();
    return this.get(chatId);
  }

  /** Works in short turns, so it may be asked while answers stream. */
  search(query: string): Promise<readonly SearchHit[]> {
    return this.#index.search(query);
  }

  /** Whether the id is taken, be it by a deleted chat. */
  hasChat(chatId: string): boolean {
    return this.#database.get('SELECT 1 FROM chats WHERE id = ?', chatId) !== undefined;
  }

  hasMessage(messageId: string): boolean {
    return this.#database.get('SELECT 1 FROM messages WHERE id = ?', messageId) !== undefined;
  }

  /** Adds a question (or none) and the answer that begins, shows them, and clears the draft that became the question. */
  begin(chatId: string, user: Message | null, answer: Message): void {
    this.#database.transaction(() => {
      const header = this.#header(chatId);
      if (user) {
        this.#insertMessage(user);
        if (header.title === untitled && user.parentId === null) this.#nameByFirstMessage(chatId);
        this.#database.run(`UPDATE chats SET draft = '' WHERE id = ?`, chatId);
      }
      this.#insertMessage(answer);
      this.#database.run('UPDATE chats SET leaf_id = ?, updated_at = ? WHERE id = ?', answer.id, this.#now(), chatId);
      this.#index.coverSome();
    });
  }

  /** An answer goes on: it is being written again and leaves the index until it is finished. */
  reopen(answer: Message): void {
    this.#database.transaction(() => {
      const row = this.#database.get('SELECT seq FROM messages WHERE id = ?', answer.id);
      if (!row) throw noSuchMessage();
      this.#index.forget(Number(row['seq']));
      const cut = answer.cut ? JSON.stringify(answer.cut) : null;
      this.#database.run(
        `UPDATE messages SET status = 'streaming', error = NULL, cut = ? WHERE id = ?`,
        cut,
        answer.id,
      );
      const { chatId } = answer;
      this.#database.run('UPDATE chats SET leaf_id = ?, updated_at = ? WHERE id = ?', answer.id, this.#now(), chatId);
    });
  }

  /** The text so far of an answer in the making. */
  checkpoint(messageId: string, content: string): void {
    this.#database.relaxed(() => {
      this.#database.run('UPDATE messages SET content = ? WHERE id = ?', content.toWellFormed(), messageId);
    });
  }

  /** The answer as it stays. Of its timings the first 8192 tokens are kept. `make`: null when nobody knows. */
  finish(answer: Message, timings: readonly TokenTiming[], make: AnswerMake | null = null): void {
    this.#database.transaction(() => {
      this.#database.run(
        'UPDATE messages SET content = ?, status = ?, error = ?, stats = ?, cut = ?, indexed = 0 WHERE id = ?',
        answer.content.toWellFormed(),
        answer.status,
        answer.error && JSON.stringify(answer.error),
        answer.stats && JSON.stringify(answer.stats),
        answer.cut ? JSON.stringify(answer.cut) : null,
        answer.id,
      );
      this.#database.run('UPDATE chats SET updated_at = ? WHERE id = ?', this.#now(), answer.chatId);
      if (timings.length > 0) this.#timings.keep(answer.id, timings);
      if (make === null) this.answerTokens.forget(answer.id);
      else this.answerTokens.keep(answer.id, make.tokens, make.details);
      this.#index.coverSome();
    });
  }

  /** Empty for answers without timings, or so old that theirs were dropped. */
  timings(messageId: string): readonly TokenTiming[] {
    return this.#timings.of(messageId);
  }

  /**
   * At the start of the program that answers, never of one that only reads: answers that a crash cut off become
   * `interrupted`. Returns how many.
   */
  settleInterrupted(): number {
    return this.#database.run(`UPDATE messages SET status = 'interrupted' WHERE status = 'streaming'`);
  }

  /** Removes for good what was deleted more than 30 days ago. Returns the number of chats. */
  purgeDeleted(): number {
    return this.#database.transaction(() => {
      const before = this.#now() - restorableMs;
      const gone = 'SELECT id FROM chats WHERE deleted_at < ?';
      for (const row of this.#database.all(`SELECT seq FROM messages WHERE chat_id IN (${gone})`, before)) {
        this.#index.forget(Number(row['seq']));
      }
      return this.#database.run(`DELETE FROM chats WHERE id IN (${gone})`, before);
    });
  }

  #header(chatId: string): ChatHeader {
    const row = this.#database.get('SELECT * FROM chats WHERE id = ? AND deleted_at IS NULL', chatId);
    const header = row && readChatHeader(row);
    if (!header) throw noSuchChat();
    return header;
  }

  #applyPatch(chatId: string, patch: ChatPatch): void {
    const set = (column: string, value: string | number) =>
      this.#database.run(`UPDATE chats SET ${column} = ? WHERE id = ?`, value, chatId);
    if (patch.title !== undefined) {
      const title = patch.title.trim();
      if (title === '') this.#nameByFirstMessage(chatId);
      else set('title', title);
    }
    if (patch.pinned !== undefined) set('pinned', patch.pinned ? 1 : 0);
    if (patch.systemPrompt !== undefined) set('system_prompt', patch.systemPrompt);
    if (patch.sampling !== undefined) set('sampling', JSON.stringify(patch.sampling));
    if (patch.context !== undefined) set('context', JSON.stringify(patch.context));
    if (patch.draft !== undefined) set('draft', patch.draft);
    if (patch.leafId !== undefined) {
      const leaf: Row | undefined = this.#database.get(
        'SELECT 1 FROM messages WHERE id = ? AND chat_id = ?',
        patch.leafId,
        chatId,
      );
      if (!leaf) throw noSuchMessage();
      set('leaf_id', patch.leafId);
    }
  }

  #nameByFirstMessage(chatId: string): void {
    const first = this.#database.get(
      `SELECT content FROM messages WHERE chat_id = ? AND role = 'user' ORDER BY seq LIMIT 1`,
      chatId,
    );
    const title = titleFrom(typeof first?.['content'] === 'string' ? first['content'] : '');
    this.#database.run('UPDATE chats SET title = ? WHERE id = ?', title, chatId);
  }

  #insertMessage(message: Message): void {
    this.#database.run(
      `INSERT INTO messages (id, chat_id, parent_id, role, content, created_at, status, error, stats, cut)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      message.id,
      message.chatId,
      message.parentId,
      message.role,
      message.content.toWellFormed(),
      message.createdAt,
      message.status,
      message.error && JSON.stringify(message.error),
      message.stats && JSON.stringify(message.stats),
      message.cut ? JSON.stringify(message.cut) : null,
    );
  }
}

function noSuchChat(): AppError {
  return new AppError('NOT_FOUND', 'This chat does not exist any more.');
}

function noSuchMessage(): AppError {
  return new AppError('NOT_FOUND', 'This message does not exist in this chat.');
}
