/**
 * A stand-in for models that have no vocabulary of their own, the synthetic ones: ids 3 to 258 are the bytes, ids above
 * are made-up words. What such a model says is noise, but it can be printed, and any text can be said to it.
 */
import type { Tokenizer } from './engineApi.ts';

const firstByte = 3;
const firstWord = firstByte + 256;
const consonants = 'bdfgklmnprstvz';
const vowels = 'aeiou';
const utf8 = new TextEncoder();

/** A word that no other id has: its digits in base 70, spelled as syllables. */
function wordOf(token: number): string {
  const syllables = consonants.length * vowels.length;
  let word = ' ';
  for (let rest = token - firstWord + 1; rest > 0; rest = Math.floor((rest - 1) / syllables)) {
    const digit = (rest - 1) % syllables;
    word += `${consonants[Math.floor(digit / vowels.length)] ?? ''}${vowels[digit % vowels.length] ?? ''}`;
  }
  return word;
}

class StandInTokenizer implements Tokenizer {
  readonly endTokens: readonly number[];
  readonly #vocab: number;

  constructor(vocab: number, endTokens: readonly number[]) {
    this.#vocab = vocab;
    this.endTokens = endTokens;
  }

  encode(text: string): Int32Array {
    return Int32Array.from(utf8.encode(text), (byte) => firstByte + byte);
  }

  decode(tokens: readonly number[] | Int32Array): string {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(
      Buffer.concat(Array.from(tokens, (token) => this.bytes(token))),
    );
  }

  bytes(token: number): Uint8Array {
    if (token < 0 || token >= this.#vocab) return new Uint8Array(0);
    if (token < firstByte) return utf8.encode(`<${token}>`);
    return token < firstWord ? Uint8Array.of(token - firstByte) : utf8.encode(wordOf(token));
  }
}

export function createStandInTokenizer(vocab: number, endTokens: readonly number[]): Tokenizer {
  return new StandInTokenizer(vocab, endTokens);
}
