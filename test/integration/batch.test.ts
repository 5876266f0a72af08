import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import { afterAll, describe, expect, it } from 'vitest';

import { freshFolder, removeFolder } from '../support/home.ts';

const folder = freshFolder('batch');
afterAll(() => removeFolder(folder));
const bin = path.resolve(import.meta.dirname, '..', '..', 'main', 'bin.mjs');
const file = (name: string) => path.join(folder, name);

interface Line {
  readonly index: number;
  readonly id: string | number | null;
  readonly text?: string;
  readonly error?: { readonly code: string };
}
const lines = (name: string): string[] =>
  existsSync(file(name)) ? readFileSync(file(name), 'utf8').split('\n').filter(Boolean) : [];
const answers = (name: string): Line[] => lines(name).map((line) => JSON.parse(line) as Line);

const killer = new URL('../support/killAtAnswer.mjs', import.meta.url).href;

/** Runs the batch; `isKilled`: it dies in the middle, as in a power failure. */
function generate(out: string, args: readonly string[] = [], { isKilled = false } = {}) {
  const common = ['--model', 'synthetic:tiny', '--max-new-tokens', '24', '--seed', '5', '--ignore-end', '--json'];
  const program = spawn(
    process.execPath,
    [bin, 'generate', '--batch', file('prompts.jsonl'), '--out', file(out), ...common, ...args],
    {
      env: {
        ...process.env,
        NEMOFLASH_HOME: file('home'),
        ...(isKilled && { NODE_OPTIONS: `--import ${killer}`, NEMOFLASH_TEST_KILL: file(out) }),
      },
    },
  );
  let [stdout, stderr] = ['', ''];
  program.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  program.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    program.once('close', (code) => resolve({ code, out: stdout, err: stderr })),
  );
}

const total = 120;
const prompts = Array.from({ length: total }, (_, index) => {
  if (index % 3 === 0) return { id: `p${index}`, prompt: `${index} is a number` };
  if (index % 3 === 1) return { id: index, messages: [{ role: 'user', content: `${index}?` }] };
  return { tokens: [5 + (index % 100), 6 + index, 7] };
});
writeFileSync(file('prompts.jsonl'), prompts.map((prompt) => `${JSON.stringify(prompt)}\n`).join(''));

describe('a batch', () => {
  it('killed in the middle is resumed: nothing is lost, asked twice, or different', async () => {
    const whole = await generate('whole.jsonl');
    expect(whole.code).toBe(0);
    expect(JSON.parse(whole.out)).toMatchObject({ prompts: total, answered: total, output_tokens: total * 24 });
    expect(whole.err).toMatch(/120 of 120 prompts, [\d.]+ tokens\/s/);

    const killed = await generate('killed.jsonl', [], { isKilled: true });
    expect(killed.code).toBeNull();
    const before = lines('killed.jsonl');
    expect(before).toHaveLength(10);
    appendFileSync(file('killed.jsonl'), '{"index": 3, "text": "cut off in the mid');
    const resumed = await generate('killed.jsonl');
    expect(resumed.code).toBe(0);
    expect(lines('killed.jsonl').slice(0, before.length)).toEqual(before);
    const byIndex = (a: Line, b: Line) => a.index - b.index;
    const [got, expected] = [answers('killed.jsonl').sort(byIndex), answers('whole.jsonl').sort(byIndex)];
    expect(got.map(({ index }) => index)).toEqual(prompts.map((_, index) => index));
    expect(got).toEqual(expected);
    expect(got.slice(0, 3).map(({ id }) => id)).toEqual(['p0', 1, null]);

    const nothingLeft = await generate('killed.jsonl');
    expect(JSON.parse(nothingLeft.out)).toMatchObject({ answered: 0, answered_before: total });
  });

  it('notes a prompt that is refused, goes on, and says so at the end', async () => {
    const { code, err } = await generate('refused.jsonl', ['--context', '64', '--max-new-tokens', '1']);
    expect(code).toBe(0);
    writeFileSync(file('prompts.jsonl'), `${JSON.stringify({ prompt: 'x'.repeat(2000) })}\n{"prompt": "short"}\n`);
    const long = await generate('long.jsonl', ['--context', '64', '--max-new-tokens', '1']);
    expect(long.code).toBe(1);
    expect(long.err).toContain('1 prompts were refused');
    const [refused, answered] = answers('long.jsonl').sort((a, b) => a.index - b.index);
    expect(refused?.error?.code).toBe('CONTEXT_FULL');
    expect(answered?.text).toEqual(expect.any(String));
    expect(err).not.toContain('refused');
  });

  it('is refused whole when a line is wrong, or the answers belong to other prompts', async () => {
    const before = lines('whole.jsonl');
    const other = await generate('whole.jsonl');
    expect(other.code).toBe(1);
    expect(other.err).toContain('is no answer to these prompts');
    expect(lines('whole.jsonl')).toEqual(before);
    writeFileSync(file('prompts.jsonl'), '{"prompt": "fine"}\n{"promt": "not"}\n');
    const wrong = await generate('wrong.jsonl');
    expect(wrong.code).toBe(1);
    expect(wrong.err).toContain('prompt 2: expected');
    expect(lines('wrong.jsonl')).toEqual([]);
  });
});
