import path from 'node:path';

import { describe, expect, it } from 'vitest';

import type { EngineStatus } from '../../main/contract/domain.ts';
import { AppError } from '../../main/contract/errors.ts';
import { ask, assistant, sampling, user } from '../support/asking.ts';
import { readSafetensors, tensorOf } from '../support/safetensors.ts';
import { tinyEngine } from '../support/tinyEngine.ts';

const goldenFolder = path.resolve(import.meta.dirname, '..', 'golden', 'tiny');
const goldenTensors = readSafetensors(path.join(goldenFolder, 'golden.safetensors'));
const goldenPrompt = Int32Array.from(tensorOf(goldenTensors, 'input_ids').values);
const goldenAnswer = [...tensorOf(goldenTensors, 'greedy_ids').values];

const { root, tiny, engine } = tinyEngine();

describe('loading', () => {
  it('goes from empty over loading to ready and back, and tells it', async () => {
    const states: EngineStatus['state'][] = [];
    const off = engine.onStatus(({ state }) => states.push(state));
    const model = await engine.load({ source: 'synthetic:tiny', format: 'bf16', contextPositions: 1024 });
    expect(model).toMatchObject({ device: 'cpu', format: 'bf16', contextPositions: 1024, synthetic: true });
    expect(engine.status).toMatchObject({ state: 'ready', running: 0, queued: 0 });
    await engine.unload();
    off();
    expect(states[0]).toBe('loading');
    expect(states.at(-1)).toBe('empty');
    expect(states).toContain('ready');
  });

  it('probed after a sleep, a device that is there changes nothing: the next answer goes on from where it was', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const first = await ask(engine, [user('one')]);
    await engine.probe();
    expect(engine.status).toMatchObject({ state: 'ready', running: 0 });
    const next = await ask(engine, [user('one'), assistant(first.text), user('two')]);
    expect(next.stats.reusedTokens).toBeGreaterThanOrEqual(first.prompt.tokens.length);
    await engine.unload();
    await engine.probe();
    expect(engine.status.state).toBe('empty');
  });

  it('a folder that is not there leaves the engine empty, with the reason', async () => {
    await expect(engine.load({ source: path.join(root, 'nothing') })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(engine.status).toMatchObject({ state: 'empty', lastError: { code: 'NOT_FOUND' } });
    await expect(engine.load({ source: 'synthetic:nonsense' })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
  });

  it('a GPU that is asked for and not there is an error, never the CPU', async () => {
    const { devices } = await engine.devices();
    if (devices.some(({ kind }) => kind === 'cuda')) return;
    await expect(engine.load({ source: 'synthetic:tiny', device: 'cuda' })).rejects.toMatchObject({
      code: 'CUDA_UNAVAILABLE',
    });
  });

  it('can be cancelled, and a second load replaces the first', async () => {
    const first = engine.load({ source: 'synthetic:nemotron-flash-1b', format: 'int4' });
    const failure = expect(first).rejects.toMatchObject({ code: 'CANCELLED' });
    const second = engine.load({ source: 'synthetic:tiny' });
    await failure;
    expect((await second).source).toBe('synthetic:tiny');
    expect(engine.status.state).toBe('ready');
  });

  it('without a model, and without a tokenizer, text is refused by name', async () => {
    expect(() => engine.tokenizer()).toThrowError(expect.objectContaining({ code: 'NO_MODEL' }));
    const loading = engine.load({ source: goldenFolder });
    expect(() => engine.tokenizer()).toThrowError(expect.objectContaining({ code: 'MODEL_LOADING' }));
    await loading;
    expect(() => engine.prompt([user('Hi')], 'model-card')).toThrowError(
      expect.objectContaining({ code: 'TOKENIZER_MISSING', message: expect.stringContaining(goldenFolder) }),
    );
  });
});

describe('answers', () => {
  it('are the golden ones, greedily', async () => {
    await engine.load({ source: tiny, format: 'f32' });
    const prompt = { tokens: goldenPrompt, boundaries: [goldenPrompt.length] };
    const request = { prompt, sampling: sampling({ temperature: 0, maxNewTokens: 32 }), ignoreEnd: true };
    const { tokens, stats } = await engine.generate(request);
    expect(tokens.map(({ token }) => token)).toEqual(goldenAnswer);
    expect(stats).toMatchObject({
      promptTokens: goldenPrompt.length,
      reusedTokens: 0,
      outputTokens: 32,
      finishReason: 'length',
    });
  });

  it('stream exactly their text, and say how long each token took', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const progress: number[] = [];
    const { text, streamed, tokens, frames, stats } = await ask(
      engine,
      [user('Hello '.repeat(200))],
      { maxNewTokens: 200 },
      { ignoreEnd: true, onPrefill: ({ doneTokens, totalTokens }) => progress.push(doneTokens / totalTokens) },
    );
    expect(streamed).toBe(text);
    expect(frames.flatMap((frame) => frame.tokens)).toEqual(tokens);
    expect(tokens).toHaveLength(200);
    expect(stats.itlNs?.p50).toBeGreaterThan(0);
    expect(stats.ttftNs).toBeGreaterThanOrEqual(stats.queueNs + stats.prefillNs);
    expect(progress.every((share) => share > 0 && share <= 1)).toBe(true);
  });

  it('with the same seed are the same, and without one report theirs', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const free = await ask(engine, [user('Hi')], { seed: null });
    expect(free.stats.seed).toBeGreaterThanOrEqual(0);
    expect((await ask(engine, [user('Hi')], { seed: free.stats.seed })).text).toBe(free.text);
  });

  it('end before a stop string, which is never shown, and the chat goes on', async () => {
    // Read at once and token by token, weights of few bits round far enough apart to change a word; float32 does not.
    await engine.load({ source: 'synthetic:tiny', format: 'f32' });
    const whole = await ask(engine, [user('Hi')], { maxNewTokens: 100 }, { ignoreEnd: true });
    const middle = Math.floor(whole.text.length / 2);
    const stop = whole.text.slice(middle, middle + 6);
    const cut = await ask(engine, [user('Hi')], { maxNewTokens: 100, stop: [stop] }, { ignoreEnd: true });
    expect(cut.text).toBe(whole.text.slice(0, whole.text.indexOf(stop)));
    expect(cut.streamed).toBe(cut.text);
    expect(cut.stats.finishReason).toBe('stop');
    const next = [user('Hi'), assistant(cut.text), user('More')];
    const after = await ask(engine, next);
    await engine.load({ source: 'synthetic:tiny', format: 'f32' });
    expect((await ask(engine, next)).text).toBe(after.text);
  });

  it('can be stopped, keep what they have, and the chat goes on', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const abort = new AbortController();
    const stopped = await ask(
      engine,
      [user('Hi')],
      { maxNewTokens: 8000 },
      { ignoreEnd: true, signal: abort.signal, onFrame: () => abort.abort() },
    );
    expect(stopped.stats.finishReason).toBe('cancelled');
    expect(stopped.tokens.length).toBeGreaterThan(0);
    expect(stopped.tokens.length).toBeLessThan(8000);
    expect((await ask(engine, [user('Hi'), assistant(stopped.text), user('More')])).tokens.length).toBeGreaterThan(0);
  });

  it('wait for what is measured, which is alone; one that is stopped while it waits is empty', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const abort = new AbortController();
    const measured = ask(engine, [user('One')], { maxNewTokens: 500 }, { ignoreEnd: true, isMeasurement: true });
    const waiting = ask(engine, [user('Two')], {}, { signal: abort.signal });
    const last = ask(engine, [user('Three')]);
    expect(engine.status).toMatchObject({ running: 1, queued: 2 });
    abort.abort();
    expect(await waiting).toMatchObject({ text: '', tokens: [], stats: { finishReason: 'cancelled' } });
    const { tokens } = await measured;
    expect(tokens).toHaveLength(500);
    const { stats, tokens: lastTokens } = await last;
    expect(stats.queueNs).toBeGreaterThan(0);
    expect(lastTokens[0]?.stampNs).toBeGreaterThan(tokens.at(-1)?.stampNs ?? Infinity);
  });

  it('a prompt that does not fit is refused with the numbers, and nothing is cut', async () => {
    await engine.load({ source: 'synthetic:tiny', contextPositions: 512 });
    expect(() => engine.prompt([user('x'.repeat(600))], 'model-card')).toThrowError(
      expect.objectContaining({ code: 'CONTEXT_FULL', message: expect.stringContaining('512 positions') }),
    );
    const tokens = new Int32Array(600).fill(7);
    const request = { prompt: { tokens, boundaries: [600] }, sampling: sampling() };
    await expect(engine.generate(request)).rejects.toMatchObject({ code: 'CONTEXT_FULL' });
    const long = await ask(engine, [user('x'.repeat(450))], { maxNewTokens: 1000 }, { ignoreEnd: true });
    expect(long.stats.finishReason).toBe('context');
  });

  it('nonsense is refused and the engine goes on', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const prompt = (...tokens: number[]) => ({ tokens: Int32Array.from(tokens), boundaries: [] });
    await expect(engine.generate({ prompt: prompt(), sampling: sampling() })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    await expect(engine.generate({ prompt: prompt(-1), sampling: sampling() })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    await expect(
      engine.generate({ prompt: prompt(5), sampling: sampling({ temperature: NaN }) }),
    ).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    expect((await ask(engine, [user('Hi')])).tokens.length).toBeGreaterThan(0);
  });

  it('end with the reason, all of them, when the device is lost under one; loaded again, all is as before', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const before = await ask(engine, [user('Hi')]);
    const other = ask(engine, [user('Hello')], { maxNewTokens: 4000 }, { ignoreEnd: true });
    const constraint = {
      next: async () => {
        throw new AppError('DEVICE_LOST', 'The GPU is gone.');
      },
      dispose: () => undefined,
    };
    const lost = { code: 'DEVICE_LOST', message: 'The GPU is gone.' };
    const both = Promise.allSettled([other, ask(engine, [user('Ho')], {}, { constraint })]);
    for (const outcome of await both) expect(outcome).toMatchObject({ status: 'rejected', reason: lost });
    expect(engine.status).toMatchObject({ state: 'lost', error: lost });
    await expect(engine.generate({ prompt: before.prompt, sampling: sampling() })).rejects.toMatchObject(lost);
    await engine.load({ source: 'synthetic:tiny' });
    expect((await ask(engine, [user('Hi')])).text).toBe(before.text);
  });

  it('end when the model is unloaded under them', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const running = ask(engine, [user('One')], { maxNewTokens: 8000 }, { ignoreEnd: true });
    const waiting = ask(engine, [user('Two')]);
    await engine.unload();
    expect((await running).stats.finishReason).toBe('cancelled');
    expect((await waiting).stats.finishReason).toBe('cancelled');
    expect(engine.status.state).toBe('empty');
  });
});
