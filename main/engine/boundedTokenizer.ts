/**
 * Refuses text that cannot fit before it is turned into tokens. That takes about a second for a megabyte, on the thread
 * where streams are written; counting words and bytes takes milliseconds.
 */
import { AppError } from '../contract/errors.ts';
import type { Tokenizer } from './engineApi.ts';

const space = 32;

/** Words, as whitespace parts them: tokenizers of this family make at least one token of each. */
function countWords(text: string): number {
  let words = 0;
  let isInside = false;
  for (let at = 0; at < text.length; at += 1) {
    const isSpace = text.charCodeAt(at) <= space;
    if (!isSpace && !isInside) words += 1;
    isInside = !isSpace;
  }
  return words;
}

class BoundedTokenizer implements Tokenizer {
  readonly #tokenizer: Tokenizer;
  readonly #vocab: number;
  readonly #maxTokens: number;
  #longest: number | null = null;

  constructor(tokenizer: Tokenizer, vocab: number, maxTokens: number) {
    this.#tokenizer = tokenizer;
    this.#vocab = vocab;
    this.#maxTokens = maxTokens;
  }

  get endTokens(): readonly number[] {
    return this.#tokenizer.endTokens;
  }

  /** Throws CONTEXT_FULL for what surely has more tokens than the context has positions. */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): Int32Array {
    // Nothing this short can be too much.
    const least = text.length <= this.#maxTokens ? 0 : Math.max(countWords(text), this.#bytesOverLongest(text));
    if (least > this.#maxTokens) {
      throw new AppError(
        'CONTEXT_FULL',
        `The text has at least ${least} tokens, and the context has ${this.#maxTokens} positions. ` +
          'Shorten it, or load the model with a larger context.',
      );
    }
    return this.#tokenizer.encode(text, options);
  }

  decode(tokens: readonly number[] | Int32Array): string {
    return this.#tokenizer.decode(tokens);
  }

  bytes(token: number): Uint8Array {
    return this.#tokenizer.bytes(token);
  }

  /** No token stands for more bytes than the longest one. */
  #bytesOverLongest(text: string): number {
    this.#longest ??= Array.from({ length: this.#vocab }, (_, token) => this.bytes(token).length).reduce(
      (longest, length) => Math.max(longest, length),
      1,
    );
    return Math.floor(Buffer.byteLength(text) / this.#longest);
  }
}

/** The same tokenizer for all text that may fit into so many positions. */
export function boundedTokenizer(tokenizer: Tokenizer, vocab: number, maxTokens: number): Tokenizer {
  return new BoundedTokenizer(tokenizer, vocab, maxTokens);
}
