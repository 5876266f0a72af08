import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { loadAddon } from '../../main/engine/addon.ts';
import type { Addon, NativeModel } from '../../main/engine/addon.ts';
import { generate, greedy, loadOptions } from '../support/nativeRequests.ts';
import { readSafetensors, tensorOf } from '../support/safetensors.ts';

const golden = path.resolve(import.meta.dirname, '..', 'golden', 'tiny');

let addon: Addon;
let model: NativeModel;
beforeAll(async () => {
  addon = loadAddon();
  model = await addon.loadModel(loadOptions('synthetic:tiny'));
});
afterAll(() => model.dispose());

describe('answers', () => {
  it('frames carry every token once, in order, stamped in ascending order', async () => {
    const session = await model.createSession({ maxPositions: 4096 });
    const { steps, result, frames } = await generate(session, { maxNewTokens: 500 });
    expect(steps).toHaveLength(500);
    expect(result).toMatchObject({ finish: 'length', position: model.info.metaTokens + 3 + 499 });
    for (let index = 1; index < steps.length; index += 1) {
      expect(steps[index]?.stampNs).toBeGreaterThan(steps[index - 1]?.stampNs ?? Infinity);
    }
    // At most one in 16 ms, besides the prompt's, the first and the last.
    expect(frames.length).toBeLessThanOrEqual(3 + (result.finishedNs - result.startedNs) / 16e6);
    expect(result.prefilledNs).toBeGreaterThanOrEqual(result.startedNs);
    expect(result.finishedNs).toBeGreaterThanOrEqual(steps.at(-1)?.stampNs ?? Infinity);
    session.dispose();
  });

  it('stop for lack of room says so', async () => {
    const session = await model.createSession({ maxPositions: 64 });
    const { result, tokens } = await generate(session, { maxNewTokens: 1000 });
    expect(result.finish).toBe('context');
    expect(tokens).toHaveLength(64 - model.info.metaTokens - 3 + 1);
    session.dispose();
  });

  it('are the golden ones, in slices as at once, and after restore', async () => {
    const tensors = readSafetensors(path.join(golden, 'golden.safetensors'));
    const prompt = Int32Array.from(tensorOf(tensors, 'input_ids').values);
    const wanted = [...tensorOf(tensors, 'greedy_ids').values];
    const tiny = await addon.loadModel(loadOptions(golden, { format: 'f32', contextPositions: 512 }));
    const session = await tiny.createSession({ maxPositions: 512 });
    const whole = await generate(session, { tokens: prompt, saveAfter: [20, prompt.length], maxNewTokens: 32 });
    expect(whole.tokens).toEqual(wanted);
    const [early, end] = whole.result.saved;
    expect([early?.after, end?.after]).toEqual([20, prompt.length]);
    expect(end?.checkpoint.position).toBe(tiny.info.metaTokens + prompt.length);
    expect(end?.checkpoint.bytes).toBeGreaterThanOrEqual(tiny.info.stateBytes);

    const again = await generate(session, {
      ...{ start: 'checkpoint', checkpoint: end?.checkpoint, tokens: new Int32Array(0), maxNewTokens: 10 },
    });
    const more = await generate(session, { start: 'current', tokens: new Int32Array(0), maxNewTokens: 22 });
    expect([...again.tokens, ...more.tokens]).toEqual(wanted);

    const rest = await generate(session, {
      ...{ start: 'checkpoint', checkpoint: early?.checkpoint, tokens: prompt.slice(20), maxNewTokens: 32 },
    });
    expect(rest.tokens).toEqual(wanted);
    session.dispose();
    tiny.dispose();
  });

  it('take only allowed tokens, and report alternatives', async () => {
    const session = await model.createSession({ maxPositions: 512 });
    const allowed = new Int32Array(Math.ceil(model.info.vocab / 32));
    allowed[2] = 0b1010;
    const sampling = { ...greedy, temperature: 1, ignoreEnd: true, logprobs: 5, allowed };
    const { steps } = await generate(session, { sampling, maxNewTokens: 20 });
    expect(steps).toHaveLength(20);
    for (const { token, top } of steps) {
      expect([65, 67]).toContain(token);
      expect(top).toHaveLength(5);
    }
    session.dispose();
  });

  it('model facts and stages are there', () => {
    expect(model.info).toMatchObject({
      source: expect.stringContaining('synthetic:tiny'),
      device: 'cpu',
      format: 'bf16',
    });
    const stages = model.stages(1000);
    expect(stages.length).toBeGreaterThan(model.info.layers);
    const weightBytes = stages.reduce((sum, stage) => sum + stage.weightBytes, 0);
    expect(weightBytes).toBeGreaterThan(model.info.weightBytes / 2);
  });
});

describe('devices', () => {
  it('lists the CPU first and says why there is no GPU', async () => {
    const { devices, cudaReason } = await addon.devices();
    expect(devices[0]).toMatchObject({ kind: 'cpu', index: 0 });
    expect(devices[0]?.memoryTotalBytes).toBeGreaterThan(1e9);
    if (devices.length === 1) expect(cudaReason).toMatch(/\w+/);
    else expect(cudaReason).toBeNull();
  });

  it('measures how fast the memory is read, alone and for a loaded model', async () => {
    const bytesPerSecond = await addon.readBandwidth();
    expect(bytesPerSecond).toBeGreaterThan(1e9);
    expect(bytesPerSecond).toBeLessThan(2e12);
    const limits = await model.limits();
    expect(limits.bytesPerSecond).toBeGreaterThan(1e9);
    expect(limits.flopsPerSecond).toBeGreaterThan(1e6);
  });
});
