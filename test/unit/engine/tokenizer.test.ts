import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { TextStream } from '../../../main/engine/textStream.ts';
import { openTokenizer } from '../../../main/engine/tokenizer.ts';
import { beginToken, endToken, writeByteLevelTokenizer } from '../../support/byteLevelTokenizer.ts';
import { randomOf } from '../../support/random.ts';

const folder = writeByteLevelTokenizer();
const empty = mkdtempSync(path.join(tmpdir(), 'nemoflash-empty-'));
afterAll(() => [folder, empty].forEach((made) => rmSync(made, { recursive: true })));

const tokenizer = openTokenizer({ source: folder, vocab: 267, endTokens: [endToken] });

describe('a byte-level tokenizer.json', () => {
  it('round-trips any text', () => {
    const letters = ['a', 'U', 's', 'e', 'r', ' ', '\n', 'é', '€', '😀', '語', '?', '\u0000'];
    for (let seed = 0; seed < 300; seed += 1) {
      const random = randomOf(seed);
      const text = Array.from({ length: random.below(40) }, () => random.pick(letters)).join('');
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  });

  it('streams a character that two tokens share only when it is whole', () => {
    const tokens = [...tokenizer.encode('a€b')];
    expect(tokens).toHaveLength(4);
    const stream = new TextStream((token) => tokenizer.bytes(token));
    expect(tokens.map((token) => stream.push(token))).toEqual(['a', '', '€', 'b']);
  });

  it('adds special tokens only when asked', () => {
    expect([...tokenizer.encode('a', { addSpecialTokens: true })][0]).toBe(beginToken);
    expect([...tokenizer.encode('a')]).not.toContain(beginToken);
  });

  it('spells every id in bytes, and ids beyond the vocabulary in none', () => {
    expect(Buffer.from(tokenizer.bytes(endToken)).toString()).toBe('</s>');
    expect(tokenizer.bytes(100_000)).toHaveLength(0);
  });
});

describe('models without a vocabulary', () => {
  it('a folder without tokenizer.json is refused by the name of the file', () => {
    expect(() => openTokenizer({ source: empty, vocab: 512, endTokens: [] })).toThrowError(
      expect.objectContaining({ code: 'TOKENIZER_MISSING', message: expect.stringContaining(empty) }),
    );
  });

  it('a damaged tokenizer.json is refused by the name of the file', () => {
    writeFileSync(path.join(empty, 'tokenizer.json'), '{"model":');
    expect(() => openTokenizer({ source: empty, vocab: 512, endTokens: [] })).toThrowError(
      expect.objectContaining({ code: 'BAD_MODEL', message: expect.stringContaining('tokenizer.json') }),
    );
  });

  it('synthetic models speak made-up words, each id its own', () => {
    const standIn = openTokenizer({ source: 'synthetic:tiny', vocab: 8000, endTokens: [2] });
    expect(standIn.decode(standIn.encode('héllo €'))).toBe('héllo €');
    const words = Array.from({ length: 8000 - 259 }, (_, index) => standIn.decode([259 + index]));
    expect(new Set(words).size).toBe(words.length);
    for (const word of words) expect(word).toMatch(/^ [a-z]+$/);
  });
});
