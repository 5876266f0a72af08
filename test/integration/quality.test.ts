import { spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { freshFolder } from '../support/home.ts';
import { readSafetensors, tensorOf } from '../support/safetensors.ts';
import { writeTinyCheckpoint } from '../support/tinyCheckpoint.ts';

const repository = path.resolve(import.meta.dirname, '..', '..');
const folder = freshFolder('quality');
const tiny = path.join(folder, 'tiny');
const golden = path.join(repository, 'test', 'golden', 'tiny');
beforeAll(() => writeTinyCheckpoint(tiny));
afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Report {
  readonly tokens: number;
  readonly reference: { readonly format: string; readonly weightBytes: number };
  readonly formats: readonly {
    readonly format: string;
    readonly weightBytes: number;
    readonly positions: number;
    readonly predictedTokens: number;
    readonly meanKl: number;
    readonly top1Agreement: number;
    readonly perplexity: number;
    readonly referencePerplexity: number;
  }[];
}

function nemoflash(...args: readonly string[]): Promise<Outcome> {
  const env = { ...process.env, NEMOFLASH_HOME: path.join(folder, 'home') };
  const program = spawn(process.execPath, [path.join(repository, 'main', 'bin.mjs'), ...args], { env, cwd: folder });
  let out = '';
  let err = '';
  program.stdout.on('data', (data: Buffer) => (out += data.toString()));
  program.stderr.on('data', (data: Buffer) => (err += data.toString()));
  return new Promise((resolve) => program.once('close', (code) => resolve({ code, out, err })));
}

/** The ids of the golden prompt, and its golden continuation. */
function goldenIds(): string {
  const tensors = readSafetensors(path.join(golden, 'golden.safetensors'));
  const ids = [...tensorOf(tensors, 'input_ids').values, ...tensorOf(tensors, 'greedy_ids').values];
  const file = path.join(folder, 'ids.json');
  writeFileSync(file, JSON.stringify(ids));
  return file;
}

describe('nemoflash quality', () => {
  it('explains itself', async () => {
    const { code, out } = await nemoflash('quality', '--help');
    expect(code).toBe(0);
    for (const word of ['mean KL', 'top-1', 'perplexity', '--text', '--ids', '--format']) expect(out).toContain(word);
  });

  it('finds less in a coarser format, by token ids, in windows', async () => {
    const { code, out, err } = await nemoflash(
      ...['quality', '--model', golden, '--ids', goldenIds(), '--window', '32', '--json'],
      ...['--format', 'bf16,int8,mixed,int4'],
    );
    expect(code, err).toBe(0);
    const { tokens, reference, formats } = JSON.parse(out) as Report;
    expect([tokens, reference.format]).toEqual([80, 'bf16']);
    expect(formats.map(({ format }) => format)).toEqual(['bf16', 'int8', 'mixed', 'int4']);
    const [same, int8, mixed, int4] = formats;
    // 32 + 32 + 16 positions; the last of each window has no next token.
    expect([same?.positions, same?.predictedTokens]).toEqual([80, 77]);
    expect(same).toMatchObject({ meanKl: 0, top1Agreement: 1 });
    expect(same?.perplexity).toBe(same?.referencePerplexity);
    expect(int8?.meanKl).toBeGreaterThan(0);
    expect(int8?.meanKl).toBeLessThan(mixed?.meanKl ?? 0);
    expect(mixed?.meanKl).toBeLessThan(int4?.meanKl ?? 0);
    // test/golden/README.md demands less than this of every format.
    expect(int4?.meanKl).toBeLessThan(1);
    for (const row of formats) expect(row.perplexity).toBeGreaterThan(1);
    expect(int4?.weightBytes).toBeLessThan(reference.weightBytes);
  });

  it('reads a text with the tokenizer of the model and prints a table', async () => {
    const text = path.join(folder, 'text.txt');
    writeFileSync(text, 'The quick brown fox jumps over the lazy dog. '.repeat(4));
    const { code, out, err } = await nemoflash('quality', '--model', tiny, '--text', text, '--format', 'int8');
    expect(code, err).toBe(0);
    expect(out).toMatch(/^format\s+weights\s+mean KL\s+max KL\s+top-1\s+perplexity\nint8 /);
  });

  it('refuses what it cannot measure, in a sentence', async () => {
    const cases: [string[], number, RegExp][] = [
      [['--model', tiny, '--format', 'int4'], 1, /--text FILE.*--ids FILE/],
      [['--model', tiny, '--format', 'int5', '--ids', goldenIds()], 2, /int8/],
      [['--model', golden, '--format', 'int4', '--text', goldenIds()], 1, /tokenizer\.json/],
      [['--model', tiny, '--format', 'int4', '--text', path.join(folder, 'absent.txt')], 1, /absent\.txt/],
    ];
    for (const [args, expected, message] of cases) {
      const { code, out, err } = await nemoflash('quality', ...args);
      expect({ code, out }).toEqual({ code: expected, out: '' });
      expect(err).toMatch(message);
    }
  });
});

describe('nemoflash models cache', () => {
  it('makes a format ahead of time, lists it and deletes it', async () => {
    const cache = (...args: readonly string[]) => nemoflash('models', 'cache', tiny, '--json', ...args);
    const list = async () => {
      const formats = JSON.parse((await cache()).out) as { format: string; cachedBytes: number | null }[];
      return formats.find(({ format }) => format === 'mixed')?.cachedBytes;
    };
    expect(await list()).toBeNull();
    const made = await cache('--format', 'mixed');
    expect(made.code, made.err).toBe(0);
    const { cachedBytes } = JSON.parse(made.out.trim().split('\n').at(-1) ?? '') as { cachedBytes: number };
    expect(cachedBytes).toBeGreaterThan(0);
    expect(await list()).toBe(cachedBytes);
    expect(JSON.parse((await cache('--format', 'mixed', '--rm')).out)).toEqual({ freedBytes: cachedBytes });
    expect(await list()).toBeNull();
    expect(existsSync(path.join(folder, 'home', 'cache', 'weights'))).toBe(true);
  });
});
