import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { defaultSampling } from '../../main/contract/domain.ts';
import type { GenerationStats } from '../../main/contract/domain.ts';
import { makeHomeSync, resolveHome } from '../../main/home.ts';
import { SettingsStore } from '../../main/settings.ts';
import { freshFolder } from '../support/home.ts';
import { maxAbsDifference, readSafetensors, relativeRms, tensorOf } from '../support/safetensors.ts';
import { writeTinyCheckpoint } from '../support/tinyCheckpoint.ts';

const repository = path.resolve(import.meta.dirname, '..', '..');
const golden = path.join(repository, 'test', 'golden');
const folder = freshFolder('cli');
const tiny = path.join(folder, 'tiny');
beforeAll(() => writeTinyCheckpoint(tiny));
afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the command as a user does; `onOutput` sees stdout as it comes. */
function nemoflash(args: readonly string[], onOutput?: (out: string, stop: () => void) => void): Promise<Outcome> {
  const env = { ...process.env, NEMOFLASH_HOME: path.join(folder, 'home') };
  const program = spawn(process.execPath, [path.join(repository, 'main', 'bin.mjs'), ...args], { env, cwd: folder });
  let out = '';
  let err = '';
  program.stdout.on('data', (data: Buffer) => {
    out += data.toString();
    onOutput?.(out, () => program.kill('SIGINT'));
  });
  program.stderr.on('data', (data: Buffer) => (err += data.toString()));
  return new Promise((resolve) => program.once('close', (code) => resolve({ code, out, err })));
}

const file = (name: string, content?: string): string => {
  const full = path.join(folder, name);
  if (content !== undefined) writeFileSync(full, content);
  return full;
};

describe('help', () => {
  it('lists every command, and each explains itself', async () => {
    const { code, out } = await nemoflash(['--help']);
    expect(code).toBe(0);
    for (const command of ['chat', 'generate', 'serve', 'models', 'chats', 'bench', 'logits', 'devices']) {
      expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
    }
    for (const command of ['chat', 'generate', 'bench', 'logits']) {
      const help = await nemoflash([command, '--help']);
      expect(help.code).toBe(0);
      expect(help.out).toContain('--model');
    }
  });

  it('wrong use is exit code 2, with a hint', async () => {
    for (const args of [['nonsense'], ['chat'], ['chat', 'Hi', '--temperature', '9'], ['logits', '--ids', 'x']]) {
      const { code, out, err } = await nemoflash(args);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(/^error: /m);
    }
  });
});

describe('chat and generate', () => {
  it('stream the answer to stdout, and the same seed says the same', async () => {
    const args = ['chat', 'Where is New York?', '--model', tiny, '--max-new-tokens', '20', '--seed', '3'];
    const first = await nemoflash(args);
    expect(first.code).toBe(0);
    expect(first.out.length).toBeGreaterThan(1);
    expect(first.err).toMatch(/tokens\/s/);
    expect((await nemoflash(args)).out).toBe(first.out);
  });

  it('--json prints one object with text, tokens and what was measured', async () => {
    const prompt = file('prompt.txt', 'Once');
    const { code, out } = await nemoflash([
      ...['generate', '--prompt-file', prompt, '--model', tiny, '--max-new-tokens', '8', '--temperature', '0'],
      ...['--ignore-end', '--json'],
    ]);
    expect(code).toBe(0);
    const answer = JSON.parse(out) as { text: string; tokens: number[]; stats: Record<string, unknown> };
    expect(answer.tokens).toHaveLength(8);
    expect(answer.stats).toMatchObject({ promptTokens: 4, outputTokens: 8, finishReason: 'length', device: 'cpu' });
  });

  it('--ids continues the golden prompt as the golden answer, without a tokenizer', async () => {
    const tensors = readSafetensors(path.join(golden, 'real-heads', 'golden.safetensors'));
    const ids = file('golden-ids.json', JSON.stringify([...tensorOf(tensors, 'input_ids').values]));
    const { code, out } = await nemoflash([
      ...['generate', '--ids', ids, '--model', path.join(golden, 'real-heads'), '--format', 'f32'],
      ...['--max-new-tokens', '32', '--temperature', '0', '--ignore-end', '--json'],
    ]);
    expect(code).toBe(0);
    expect((JSON.parse(out) as { tokens: number[] }).tokens).toEqual([...tensorOf(tensors, 'greedy_ids').values]);
  });

  it('Ctrl-C ends the answer cleanly, with what it has', async () => {
    let isAsked = false;
    const { code, out, err } = await nemoflash(
      [
        'generate',
        '--prompt',
        'Hi',
        '--model',
        'synthetic:tiny',
        '--max-new-tokens',
        '32768',
        '--ignore-end',
        '--context',
        '32800',
      ],
      (_out, stop) => {
        if (!isAsked) stop();
        isAsked = true;
      },
    );
    expect(code).toBe(130);
    expect(out.endsWith('\n')).toBe(true);
    expect(err).toContain('ended by cancelled');
  });

  it('--preset takes what was saved in the app, and options change it', async () => {
    const home = makeHomeSync(resolveHome(path.join(folder, 'home')));
    const settings = SettingsStore.openSync(home.settingsFile, home.damagedFolder);
    const sampling = { ...defaultSampling, maxNewTokens: 5, seed: 7 };
    await settings.update({ presets: [{ name: 'Short', sampling }] });
    const command = ['generate', '--model', tiny, '--prompt', 'Hi', '--ignore-end', '--json', '--preset', 'Short'];
    const saved = JSON.parse((await nemoflash(command)).out) as { stats: GenerationStats };
    expect(saved.stats).toMatchObject({ outputTokens: 5, seed: 7 });
    const changed = JSON.parse((await nemoflash([...command, '--seed', '8'])).out) as { stats: GenerationStats };
    expect(changed.stats).toMatchObject({ outputTokens: 5, seed: 8 });
  });

  it('failures are exit code 1 and one line that says what to do', async () => {
    const cases: [string[], RegExp][] = [
      [['chat', 'Hi', '--model', path.join(folder, 'nothing')], /nothing/],
      [['chat', 'Hi'], /--model/],
      [['chat', 'Hi', '--model', path.join(golden, 'tiny')], /tokenizer\.json/],
      [['chat', 'x'.repeat(2000), '--model', tiny, '--context', '600'], /600 positions/],
      [['generate', '--model', tiny], /--prompt/],
      [['generate', '--model', tiny, '--prompt', 'x', '--preset', 'Nope'], /no preset "Nope"/],
    ];
    for (const [args, message] of cases) {
      const { code, out, err } = await nemoflash(args);
      expect({ args, code, out }).toEqual({ args, code: 1, out: '' });
      expect(err.trimEnd().split('\n')).toHaveLength(1);
      expect(err).toMatch(message);
    }
  });
});

describe('logits', () => {
  /** Of test/golden/README.md, rows (a) and (b'): the widest demands on float32 and on bf16 weights. */
  const demands = {
    tiny: { maxAbs: 0.0002, rms: 1e-5, bf16Rms: 0.03 },
    'real-heads': { maxAbs: 0.0002, rms: 1e-5, bf16Rms: 0.02 },
  } as const;

  for (const fixture of ['tiny', 'real-heads'] as const) {
    it(`meet the golden values of ${fixture}, layer by layer`, async () => {
      const expected = readSafetensors(path.join(golden, fixture, 'golden.safetensors'));
      const ids = file(`${fixture}.json`, JSON.stringify([...tensorOf(expected, 'input_ids').values]));
      const out = file(`${fixture}.safetensors`);
      const model = path.join(golden, fixture);
      const { code, err } = await nemoflash(['logits', '--model', model, '--ids', ids, '--out', out, '--hidden']);
      expect(code, err).toBe(0);

      const got = readSafetensors(out);
      const logits = tensorOf(got, 'logits');
      expect(logits.shape).toEqual(tensorOf(expected, 'logits').shape);
      const { maxAbs, rms, bf16Rms } = demands[fixture];
      expect(maxAbsDifference(tensorOf(expected, 'logits').values, logits.values)).toBeLessThan(maxAbs);
      expect(relativeRms(tensorOf(expected, 'logits').values, logits.values)).toBeLessThan(rms);

      // The golden file has the last four positions: the embedding, then every layer.
      const { shape, values } = tensorOf(expected, 'hidden');
      const [taps = 0, positions = 0, width = 0] = shape;
      const size = positions * width;
      for (let tap = 0; tap < taps; tap += 1) {
        const name = tap === 0 ? 'embedding' : `hidden.${tap - 1}`;
        const tail = tensorOf(got, name).values.slice(-size);
        expect(relativeRms(values.slice(tap * size, (tap + 1) * size), tail), name).toBeLessThan(1e-5);
      }
      expect(relativeRms(tensorOf(expected, 'final').values, tensorOf(got, 'final').values.slice(-size))).toBeLessThan(
        1e-5,
      );

      const again = await nemoflash(['logits', '--model', model, '--ids', ids, '--out', out, '--format', 'bf16']);
      expect(again.code, again.err).toBe(0);
      expect(
        relativeRms(tensorOf(expected, 'logits').values, tensorOf(readSafetensors(out), 'logits').values),
      ).toBeLessThan(bf16Rms);
    });
  }

  it('divides by the head rows’ norms when config.json says so', async () => {
    const model = path.join(folder, 'row-norm');
    mkdirSync(model);
    for (const name of readdirSync(path.join(golden, 'tiny'))) {
      copyFileSync(path.join(golden, 'tiny', name), path.join(model, name));
    }
    const expected = readSafetensors(path.join(model, 'golden.safetensors'));
    const { readFileSync } = await import('node:fs');
    const config = JSON.parse(readFileSync(path.join(model, 'config.json'), 'utf8')) as object;
    writeFileSync(path.join(model, 'config.json'), JSON.stringify({ ...config, lm_head_row_norm: true }));
    const ids = file('row-norm.json', JSON.stringify([...tensorOf(expected, 'input_ids').values]));
    const out = file('row-norm.safetensors');
    const { code, err } = await nemoflash(['logits', '--model', model, '--ids', ids, '--out', out]);
    expect(code, err).toBe(0);
    const norms = tensorOf(expected, 'lm_head_row_norm').values;
    const divided = tensorOf(expected, 'logits').values.map(
      (value, index) => value / (norms[index % norms.length] ?? NaN),
    );
    expect(relativeRms(divided, tensorOf(readSafetensors(out), 'logits').values)).toBeLessThan(1e-5);
  });

  it('bad ids are refused, and no file appears', async () => {
    const out = file('refused.safetensors');
    for (const content of ['[1, 2, 100000]', '[1, -2]', '[1.5]', '["a"]', '[]', '{}', 'no json']) {
      const ids = file('bad.json', content);
      const outcome = await nemoflash(['logits', '--model', path.join(golden, 'tiny'), '--ids', ids, '--out', out]);
      expect({ content, code: outcome.code }).toEqual({ content, code: 1 });
      expect(outcome.err).toContain('bad.json');
    }
    const missing = await nemoflash(['logits', '--model', tiny, '--ids', file('absent.json'), '--out', out]);
    expect(missing).toMatchObject({ code: 1, err: expect.stringContaining('absent.json') });
    expect(existsSync(out) || existsSync(`${out}.part`)).toBe(false);
  });
});

describe('bench and devices', () => {
  it('bench prints an object per format and context with the agreed fields', async () => {
    const { code, out, err } = await nemoflash([
      ...['bench', '--model', 'synthetic:tiny', '--format', 'bf16,int4', '--context', '64,128'],
      ...['--tokens', '8', '--repeats', '2', '--json', '--results', file('results.jsonl', '{"at":"earlier"}\n')],
    ]);
    expect(code, err).toBe(0);
    const rows = JSON.parse(out) as Record<string, unknown>[];
    expect(rows.map(({ format, context_tokens }) => [format, context_tokens])).toEqual([
      ['bf16', 64],
      ['bf16', 128],
      ['int4', 64],
      ['int4', 128],
    ]);
    const numbers = [
      ...['context_tokens', 'load_ms', 'cold_first_token_ms', 'prefill_tokens_per_s', 'decode_tokens_per_s'],
      ...['itl_p50_ms', 'itl_p99_ms', 'bytes_per_token', 'bandwidth_gb_per_s', 'bandwidth_share', 'peak_rss_mb'],
      'new_chat_ms',
    ];
    for (const row of rows) {
      expect(row).toMatchObject({ device: 'cpu' });
      for (const name of numbers) expect(row[name], name).toBeGreaterThan(0);
      const fromCache = row['format'] === 'int4' ? ['cached_load_ms', 'cached_first_token_ms'] : [];
      for (const name of fromCache) expect(row[name], name).toBeGreaterThan(0);
      const { low, median, high } = row['new_chat_ms_spread'] as Record<string, number>;
      expect([low, median, high]).toEqual([low, median, high].sort((a = 0, b = 0) => a - b));
    }
    const kept = readFileSync(file('results.jsonl'), 'utf8').trimEnd().split('\n');
    expect(kept.map((line) => JSON.parse(line) as object)).toEqual([
      { at: 'earlier' },
      ...rows.map((row) => ({
        ...row,
        at: expect.any(String) as string,
        app_version: expect.stringMatching(/^\d/) as string,
        engine_build: expect.stringMatching(/^[0-9a-f]{12}$/) as string,
        commit: expect.toSatisfy((commit) => commit === null || typeof commit === 'string') as string,
        machine: expect.objectContaining({ cpu: expect.any(String) as string }) as object,
      })),
    ]);
    // Nothing of a made-up model is left behind.
    const weights = path.join(folder, 'home', 'cache', 'weights');
    expect(existsSync(weights) ? readdirSync(weights).filter((name) => name.startsWith('synthetic')) : []).toEqual([]);
  });

  it('devices lists the CPU, for people and for scripts', async () => {
    expect((await nemoflash(['devices'])).out).toMatch(/^cpu .*threads/m);
    const { devices } = JSON.parse((await nemoflash(['devices', '--json'])).out) as { devices: object[] };
    expect(devices[0]).toMatchObject({ kind: 'cpu', index: 0 });
  });
});
