/**
 * `npm run bench:grammar`: what holding an answer to a JSON schema costs beside the engine, with a vocabulary of the
 * real size (131 072 tokens: bytes, the pieces of this repository's texts, and made-up words).
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import type { Tokenizer } from '../../main/engine/engineApi.ts';
import { createStandInTokenizer } from '../../main/engine/standInTokenizer.ts';
import { GrammarFactory } from '../../main/server/grammar.ts';

const size = 131_072;
const longest = 24;
const firstPiece = 259;
const docs = path.resolve(import.meta.dirname, '..', '..', 'docs');

/** Words, numbers, signs and their beginnings, each once; JSON's own pairs of signs first, as every BPE has them. */
function pieces(): readonly string[] {
  const found = new Set(['{"', '"}', '":', '": "', '", "', '": {"', '"]', '["', ' {', ' [', '},', ': ', ', ', '": [']);
  for (const file of readdirSync(docs).filter((name) => name.endsWith('.md'))) {
    for (const [word] of readFileSync(path.join(docs, file), 'utf8').matchAll(
      / ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+/gu,
    )) {
      for (let length = 2; length <= Math.min(word.length, longest); length += 1) found.add(word.slice(0, length));
    }
  }
  return [...found];
}

/** Takes the longest piece that fits, from left to right. */
function makeTokenizer(): Tokenizer {
  const standIn = createStandInTokenizer(size, [2]);
  const known = pieces().slice(0, size - firstPiece);
  const ids = new Map(known.map((piece, index) => [piece, firstPiece + index]));
  const bytes = (token: number): Uint8Array => {
    const piece = known[token - firstPiece];
    return piece === undefined ? standIn.bytes(token) : new TextEncoder().encode(piece);
  };
  return {
    endTokens: [2],
    bytes,
    decode: (tokens) => Buffer.concat(Array.from(tokens, bytes)).toString('utf8'),
    encode(text) {
      const tokens: number[] = [];
      for (let at = 0; at < text.length;) {
        let length = Math.min(longest, text.length - at);
        while (length > 1 && !ids.has(text.slice(at, at + length))) length -= 1;
        const piece = text.slice(at, at + length);
        tokens.push(...(ids.has(piece) ? [ids.get(piece) ?? 0] : standIn.encode(piece)));
        at += length;
      }
      return Int32Array.from(tokens);
    },
  };
}

const schema = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    age: { type: 'integer' },
    tags: { type: 'array', items: { type: 'string' } },
    address: {
      type: 'object',
      properties: { street: { type: 'string' }, city: { enum: ['Berlin', 'Paris', 'New York'] } },
      required: ['street', 'city'],
      additionalProperties: false,
    },
  },
  required: ['name', 'age', 'tags', 'address'],
  additionalProperties: false,
};
const answer =
  '{"name": "Ada Lovelace", "age": 36, "tags": ["mathematics", "poetry"], ' +
  '"address": {"street": "Dorset Street 12", "city": "New York"}}';

const percentile = (values: readonly number[], share: number): string =>
  (values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))] ?? 0).toFixed(3);

const tokenizer = makeTokenizer();
const timed = async <T>(work: () => Promise<T>): Promise<readonly [T, number]> => {
  const began = performance.now();
  return [await work(), performance.now() - began];
};
/** The longest time in which this thread, where streams are written, did nothing else. */
let longestGap = 0;
let last = performance.now();
const watch = setInterval(() => {
  longestGap = Math.max(longestGap, performance.now() - last);
  last = performance.now();
}, 1);

const [factory, startMs] = await timed(async () => new GrammarFactory(tokenizer, size));
const [first, firstMs] = await timed(() => factory.constraint({ kind: 'schema', schema }, true));
first.dispose();
const [again, againMs] = await timed(() => factory.constraint({ kind: 'schema', schema }, true));
again.dispose();
const waits: number[] = [];
let tokens = 0;
let sampled = 0;
for (let round = 0; round < 20; round += 1) {
  const constraint = await factory.constraint({ kind: 'schema', schema }, true);
  let rest = answer;
  let taken: number[] = [];
  while (rest !== '') {
    const [{ forced }, ms] = await timed(() => constraint.next(taken, 100));
    waits.push(ms);
    rest = rest.slice(tokenizer.decode(forced).length);
    const [next] = tokenizer.encode(rest);
    if (next === undefined) break;
    rest = rest.slice(tokenizer.decode([next]).length);
    taken = [next];
    sampled += 1;
    tokens += 1 + forced.length;
  }
  constraint.dispose();
}
clearInterval(watch);
await factory.close();
const { stdout } = process;
stdout.write(
  `first answer of a model: ${(startMs + firstMs).toFixed(0)} ms; a schema seen before: ${againMs.toFixed(1)} ms\n`,
);
stdout.write(
  `longest the main thread was held: ${longestGap.toFixed(0)} ms, ${startMs.toFixed(0)} ms of it to begin\n`,
);
stdout.write(`per sampled token: p50 ${percentile(waits, 0.5)} ms, p95 ${percentile(waits, 0.95)} ms\n`);
stdout.write(`tokens of an answer: ${tokens / 20}, of which sampled: ${sampled / 20}\n`);
