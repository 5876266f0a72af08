/** What answers were made of: token ids of every answer, and how likely each token was where that was asked for. */
import { z } from 'zod';

import type { TokenDetail } from '../contract/domain.ts';
import type { Database } from './database.ts';
import { parsed } from './rows.ts';

/** Bounds of what is kept of probabilities: so many tokens of an answer, of so many newest answers. */
export const maxDetailsPerAnswer = 8192;
const maxAnswersWithDetails = 500;

const detailsSchema: z.ZodType<readonly TokenDetail[]> = z.array(
  z.object({
    text: z.string(),
    logprob: z.number(),
    top: z.array(z.object({ token: z.int().min(0), text: z.string(), logprob: z.number() })),
  }),
);

export class AnswerTokens {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** `tokens` decode to exactly the answer's text; `details` are of the first of them. Inside the caller's transaction. */
  keep(messageId: string, tokens: Int32Array, details: readonly TokenDetail[]): void {
    const bytes = new Uint8Array(tokens.length * 4);
    const view = new DataView(bytes.buffer);
    tokens.forEach((token, index) => view.setInt32(index * 4, token, true));
    const text = details.length === 0 ? null : JSON.stringify(details.slice(0, maxDetailsPerAnswer));
    this.forget(messageId);
    this.#database.run(
      'INSERT INTO answer_tokens (message_id, tokens, details) VALUES (?, ?, ?)',
      messageId,
      bytes,
      text,
    );
    if (text === null) return;
    this.#database.run(
      `UPDATE answer_tokens SET details = NULL WHERE details IS NOT NULL AND seq <=
         (SELECT seq FROM answer_tokens WHERE details IS NOT NULL ORDER BY seq DESC LIMIT 1 OFFSET ?)`,
      maxAnswersWithDetails,
    );
  }

  forget(messageId: string): void {
    this.#database.run('DELETE FROM answer_tokens WHERE message_id = ?', messageId);
  }

  /** By message, for those of a chat that are known. */
  ofChat(chatId: string): ReadonlyMap<string, Int32Array> {
    const rows = this.#database.all(
      `SELECT message_id, tokens FROM answer_tokens
       WHERE message_id IN (SELECT id FROM messages WHERE chat_id = ? AND role = 'assistant')`,
      chatId,
    );
    return new Map(rows.map((row) => [String(row['message_id']), readTokens(row['tokens'])]));
  }

  /** Empty when nobody asked for them, or when they are too old. */
  details(messageId: string): readonly TokenDetail[] {
    const row = this.#database.get('SELECT details FROM answer_tokens WHERE message_id = ?', messageId);
    return parsed(row?.['details'], detailsSchema) ?? [];
  }
}

/** A blob cut short gives the ids that are whole. */
function readTokens(blob: unknown): Int32Array {
  if (!(blob instanceof Uint8Array)) return new Int32Array(0);
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  return Int32Array.from({ length: Math.floor(blob.byteLength / 4) }, (_, index) => view.getInt32(index * 4, true));
}
