/** What an answer must look like, as masks of the model's own tokens. The work is done in a thread of its own. */
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { AppError } from '../contract/errors.ts';
import type { NextTokens, TokenConstraint, Tokenizer } from '../engine/engineApi.ts';

/** A JSON schema; any JSON object; or free text that becomes JSON between the tags once `begin` was written. */
export type GrammarSpec =
  | { readonly kind: 'schema'; readonly schema: object }
  | { readonly kind: 'json' }
  | { readonly kind: 'tagged'; readonly begin: string; readonly end: string; readonly schema: object };

/** The bytes of all tokens, one behind the other, and where each ends. */
export interface Vocabulary {
  readonly bytes: Uint8Array;
  readonly ends: Int32Array;
  readonly endTokens: readonly number[];
}

export type GrammarRequest = { readonly id: number; readonly matcher: number } & (
  | { readonly kind: 'open'; readonly spec: GrammarSpec }
  | { readonly kind: 'next'; readonly taken: readonly number[]; readonly mayJump: boolean }
  | { readonly kind: 'close' }
);

export interface GrammarReply {
  readonly id: number;
  /** Text that must follow; the mask behind it has to be asked for. */
  readonly jump: string;
  readonly allowed: Int32Array<ArrayBuffer> | null;
  readonly failure: { readonly text: string; readonly isSchema: boolean } | null;
}

/** Beside this module: as it is written in the source tree, as a file of its own beside the bundle. */
const workerFile = path.join(import.meta.dirname, `grammarWorker${path.extname(import.meta.filename)}`);
/** Of a schema as JSON: what takes longer to compile than anyone waits is no schema for an answer. */
const maxSchemaChars = 200_000;
const sliceTokens = 4096;

/** Gathered a slice at a time, so that streams go on meanwhile. */
async function vocabularyOf(tokenizer: Tokenizer, size: number): Promise<Vocabulary> {
  const words: Uint8Array[] = [];
  while (words.length < size) {
    const end = Math.min(size, words.length + sliceTokens);
    while (words.length < end) words.push(tokenizer.bytes(words.length));
    await setImmediate();
  }
  let end = 0;
  const ends = Int32Array.from(words, ({ length }) => (end += length));
  return { bytes: Uint8Array.from(Buffer.concat(words)), ends, endTokens: tokenizer.endTokens };
}

interface Pending {
  readonly resolve: (reply: GrammarReply) => void;
  readonly reject: (error: Error) => void;
}

/** Some short schemas would take for ever, with all others behind them. The first question starts the thread, too. */
export const longestWorkMs = 15_000;

/** Grammars for one vocabulary. Its thread starts at once, never keeps the process alive, and ends with close(). */
export class GrammarFactory {
  readonly #tokenizer: Tokenizer;
  readonly #worker: Promise<Worker>;
  /** The thread answers in this order. */
  readonly #pending = new Map<number, Pending>();
  #clock: NodeJS.Timeout | undefined;
  #lastId = 0;
  #lastMatcher = 0;
  /** The thread has ended; a new factory is needed. */
  isBroken = false;

  constructor(tokenizer: Tokenizer, vocabSize: number) {
    this.#tokenizer = tokenizer;
    this.#worker = this.#start(vocabSize);
    // Whoever asks hears of it.
    this.#worker.catch((cause: Error) => this.#break(cause));
  }

  async close(): Promise<void> {
    await this.#worker.then(async (worker) => worker.terminate()).catch(() => undefined);
  }

  /** Throws BAD_REQUEST for a schema that is none, or that nobody could wait for. `mayForce`: text that is certain need not be asked of the model. */
  async constraint(spec: GrammarSpec, mayForce: boolean): Promise<TokenConstraint> {
    if (spec.kind !== 'json' && JSON.stringify(spec.schema).length > maxSchemaChars) {
      throw new AppError('BAD_REQUEST', `The JSON schema is longer than ${maxSchemaChars} characters.`);
    }
    const matcher = (this.#lastMatcher += 1);
    await this.#ask({ kind: 'open', matcher, spec });
    const worker = await this.#worker;
    return {
      next: async (taken, maxForced) => this.#next(matcher, taken, mayForce ? maxForced : 0),
      dispose: () => worker.postMessage({ id: 0, kind: 'close', matcher }),
    };
  }

  async #next(matcher: number, taken: readonly number[], maxForced: number): Promise<NextTokens> {
    const first = await this.#ask({ kind: 'next', matcher, taken, mayJump: maxForced > 0 });
    if (first.jump === '') return { forced: [], allowed: first.allowed };
    const forced = this.#tokensOf(first.jump).slice(0, maxForced);
    const { allowed } = await this.#ask({ kind: 'next', matcher, taken: forced, mayJump: false });
    return { forced, allowed };
  }

  /** All but the last token: with what follows, that may become another one. None for a tokenizer that adds to a text. */
  #tokensOf(text: string): readonly number[] {
    const tokens = [...this.#tokenizer.encode(text, { addSpecialTokens: false })];
    return this.#tokenizer.decode(tokens) === text ? tokens.slice(0, -1) : [];
  }

  async #ask(
    request:
      | { kind: 'open'; matcher: number; spec: GrammarSpec }
      | { kind: 'next'; matcher: number; taken: readonly number[]; mayJump: boolean },
  ): Promise<GrammarReply> {
    if (this.isBroken) throw brokenError();
    const worker = await this.#worker;
    const id = (this.#lastId += 1);
    const reply = await new Promise<GrammarReply>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      if (this.#pending.size === 1) this.#watch();
      worker.postMessage({ id, ...request });
    });
    if (reply.failure === null) return reply;
    throw new AppError(reply.failure.isSchema ? 'BAD_REQUEST' : 'INTERNAL', reply.failure.text);
  }

  async #start(vocabSize: number): Promise<Worker> {
    const workerData = await vocabularyOf(this.#tokenizer, vocabSize);
    // stderr: the library writes there what it does not understand about a client's schema.
    const worker = new Worker(workerFile, { workerData, stderr: true });
    worker.unref();
    worker.on('message', (reply: GrammarReply) => {
      this.#pending.get(reply.id)?.resolve(reply);
      this.#pending.delete(reply.id);
      this.#watch();
    });
    worker.on('error', (cause: Error) => this.#break(cause));
    worker.on('exit', () => this.#break(new Error('the thread has ended')));
    return worker;
  }

  /** Ends the thread when the question it is at takes too long: nothing else would. */
  #watch(): void {
    clearTimeout(this.#clock);
    const [first] = this.#pending;
    if (first === undefined) return;
    const [id, { reject }] = first;
    this.#clock = setTimeout(() => {
      this.#pending.delete(id);
      reject(new AppError('BAD_REQUEST', 'The JSON schema takes too long to follow. Use a simpler one.'));
      this.#break(new Error('a schema took too long'));
      void this.close();
    }, longestWorkMs).unref();
  }

  #break(cause: Error): void {
    this.isBroken = true;
    clearTimeout(this.#clock);
    for (const { reject } of this.#pending.values()) reject(brokenError(cause));
    this.#pending.clear();
  }
}

function brokenError(cause?: Error): AppError {
  return new AppError('INTERNAL', 'The thread that holds answers to a grammar has ended. Ask again.', {
    retryable: true,
    cause,
  });
}
