/** When each token of an answer was known: of the newest answers, so that their gaps can be looked at later. */
import type { TokenTiming } from '../contract/domain.ts';
import type { Database } from './database.ts';
import { decodeTimings, encodeTimings } from './timingCodec.ts';

/** Bounds of what is kept: so many tokens of an answer, of so many newest answers. */
export const maxTimingsPerAnswer = 8192;
const maxAnswersWithTimings = 500;

export class AnswerTimings {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Inside the caller's transaction. */
  keep(messageId: string, timings: readonly TokenTiming[]): void {
    const stamps = encodeTimings(timings.slice(0, maxTimingsPerAnswer));
    this.#database.run('DELETE FROM timings WHERE message_id = ?', messageId);
    this.#database.run('INSERT INTO timings (message_id, stamps) VALUES (?, ?)', messageId, stamps);
    this.#database.run('DELETE FROM timings WHERE seq <= (SELECT max(seq) FROM timings) - ?', maxAnswersWithTimings);
  }

  /** Empty for answers without timings, or so old that theirs were dropped. */
  of(messageId: string): readonly TokenTiming[] {
    const stamps = this.#database.get('SELECT stamps FROM timings WHERE message_id = ?', messageId)?.['stamps'];
    return stamps instanceof Uint8Array ? decodeTimings(stamps) : [];
  }
}
