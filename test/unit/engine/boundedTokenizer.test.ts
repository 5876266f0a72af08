import { describe, expect, it } from 'vitest';

import { boundedTokenizer } from '../../../main/engine/boundedTokenizer.ts';
import type { Tokenizer } from '../../../main/engine/engineApi.ts';

/** A token is a word and the space before it, or a byte; the longest is 8 bytes. */
let encoded = 0;
const tokenizer: Tokenizer = {
  encode(text) {
    encoded += 1;
    return Int32Array.from(text.match(/ ?\S{1,7}/g) ?? [], () => 1);
  },
  decode: () => '',
  bytes: (token) => new Uint8Array(token === 5 ? 8 : 1),
  endTokens: [2],
};
const bounded = boundedTokenizer(tokenizer, 10, 100);

describe('text that may fit', () => {
  it.each([
    ['100 words', 'word '.repeat(100)],
    ['100 of the longest tokens', ' sevens7'.repeat(100)],
    ['nothing but spaces', ' '.repeat(700)],
    ['nothing', ''],
  ])('is turned into tokens: %s', (_, text) => {
    expect(bounded.encode(text)).toEqual(tokenizer.encode(text));
    expect(bounded.encode(text).length).toBeLessThanOrEqual(100);
  });
});

describe('text that cannot fit', () => {
  it.each([
    ['101 words', 'w '.repeat(101)],
    ['more bytes than 100 of the longest tokens have', 'x'.repeat(808)],
    ['16 megabytes', 'a b'.repeat(5_000_000)],
  ])('is refused with the numbers, and not read: %s', (_, text) => {
    encoded = 0;
    expect(() => bounded.encode(text)).toThrowError(
      expect.objectContaining({ code: 'CONTEXT_FULL', message: expect.stringMatching(/at least \d+ tokens.*100/) }),
    );
    expect(encoded).toBe(0);
  });
});
