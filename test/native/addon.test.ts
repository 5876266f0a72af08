import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { errorCodes } from '../../main/contract/errors.ts';
import { loadAddon } from '../../main/engine/addon.ts';
import type { Addon, NativeFrame, NativeGenerateRequest, NativeModel, NativeSession } from '../../main/engine/addon.ts';
import { greedy, loadOptions } from '../support/nativeRequests.ts';
import { readSafetensors, tensorOf } from '../support/safetensors.ts';

const golden = path.resolve(import.meta.dirname, '..', 'golden', 'tiny');
const folder = mkdtempSync(path.join(tmpdir(), 'nemoflash-addon-'));
afterAll(() => rmSync(folder, { recursive: true }));

let addon: Addon;
let model: NativeModel;
beforeAll(async () => {
  addon = loadAddon();
  model = await addon.loadModel(loadOptions('synthetic:tiny'));
});
afterAll(() => model.dispose());

function request(rest: Partial<NativeGenerateRequest> = {}): NativeGenerateRequest {
  return {
    ...{ start: 'empty', saveFirst: false, tokens: Int32Array.of(5, 6, 7), saveAfter: [], maxNewTokens: 8 },
    sampling: { ...greedy, ignoreEnd: true },
    ...rest,
  };
}

async function generate(session: NativeSession, rest: Partial<NativeGenerateRequest> = {}) {
  const frames: NativeFrame[] = [];
  const result = await session.generate(request(rest), (frame) => frames.push(frame));
  const steps = frames.flatMap((frame) => frame.steps);
  return { result, frames, steps, tokens: steps.map(({ token }) => token) };
}

const thrownBy = (action: () => unknown): unknown => {
  try {
    action();
    return null;
  } catch (error) {
    return error;
  }
};

const child = path.resolve(import.meta.dirname, '..', 'support', 'addonChild.ts');

/** Runs addonChild.ts; a hang ends by signal after half a minute and fails the test that awaits it. */
async function runChild(action: string): Promise<{ code: number | null; signal: string | null; out: string }> {
  const program = spawn(process.execPath, [child, action], { timeout: 30_000, killSignal: 'SIGKILL' });
  let out = '';
  program.stdout.on('data', (data: Buffer) => (out += data.toString()));
  program.stderr.on('data', (data: Buffer) => (out += data.toString()));
  return new Promise((resolve) => program.once('close', (code, signal) => resolve({ code, signal, out })));
}

describe('errors', () => {
  it('every engine code is in the contract, in the same order', () => {
    expect(errorCodes.slice(0, addon.errorCodes.length)).toEqual(addon.errorCodes);
    expect(addon.errorCodes.length).toBeGreaterThanOrEqual(8);
  });

  it('wrong arguments are named', async () => {
    const { source: _source, ...rest } = loadOptions('');
    expect(thrownBy(() => addon.loadModel(rest as never))).toMatchObject({
      code: 'BAD_ARGUMENT',
      message: expect.stringContaining('options.source'),
    });
    const session = await model.createSession({ maxPositions: 256 });
    for (const wrong of [
      { tokens: [1, 2] },
      { maxNewTokens: 1.5 },
      { saveAfter: [9] },
      { sampling: { ...greedy, temperature: 'hot' } },
      { start: 'checkpoint', checkpoint: {} },
      { stop: {} },
    ]) {
      expect(thrownBy(() => session.generate(request(wrong as never)))).toMatchObject({ code: 'BAD_ARGUMENT' });
    }
    session.dispose();
  });

  it('a folder that is not there, and a truncated file, are BAD_MODEL by name', async () => {
    await expect(addon.loadModel(loadOptions(path.join(folder, 'nothing')))).rejects.toMatchObject({
      code: 'BAD_MODEL',
      message: expect.stringContaining('nothing'),
    });
    const broken = path.join(folder, 'broken');
    cpSync(golden, broken, { recursive: true });
    truncateSync(path.join(broken, 'model.safetensors'), 100_000);
    await expect(addon.loadModel(loadOptions(broken))).rejects.toMatchObject({
      code: 'BAD_MODEL',
      message: expect.stringContaining('model.safetensors'),
    });
  });

  it('tokens outside the vocabulary are refused', async () => {
    const session = await model.createSession({ maxPositions: 256 });
    await expect(session.generate(request({ tokens: Int32Array.of(1_000_000) }))).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    session.dispose();
  });

  it('a prompt longer than the session is CONTEXT_FULL', async () => {
    const session = await model.createSession({ maxPositions: 64 });
    await expect(session.generate(request({ tokens: new Int32Array(200).fill(5) }))).rejects.toMatchObject({
      code: 'CONTEXT_FULL',
    });
    session.dispose();
  });

  it('what a listener throws is the outcome', async () => {
    const session = await model.createSession({ maxPositions: 4096 });
    const failing = session.generate(request({ maxNewTokens: 4000 }), () => {
      throw new Error('listener');
    });
    await expect(failing).rejects.toThrow('listener');
    expect((await generate(session)).tokens).toHaveLength(8);
    session.dispose();
  });
});

describe('life and death', () => {
  it('dispose may come twice; use after it is refused', async () => {
    const other = await addon.loadModel(loadOptions('synthetic:tiny'));
    const session = await other.createSession({ maxPositions: 256 });
    const checkpoint = await session.save();
    for (const object of [session, other, checkpoint]) {
      object.dispose();
      object.dispose();
    }
    expect(thrownBy(() => session.generate(request()))).toMatchObject({ code: 'BAD_ARGUMENT' });
    expect(thrownBy(() => session.position)).toMatchObject({ code: 'BAD_ARGUMENT' });
    expect(thrownBy(() => other.info)).toMatchObject({ code: 'BAD_ARGUMENT' });
    expect(thrownBy(() => other.createSession({ maxPositions: 256 }))).toMatchObject({ code: 'BAD_ARGUMENT' });
  });

  it('a session outlives its model, and what was asked before dispose still runs', async () => {
    const other = await addon.loadModel(loadOptions('synthetic:tiny'));
    const session = await other.createSession({ maxPositions: 256 });
    other.dispose();
    const answer = generate(session);
    session.dispose();
    expect((await answer).tokens).toHaveLength(8);
  });

  it('process.exit in the middle of an answer exits, with its code', async () => {
    expect(await runChild('exit-while-generating')).toMatchObject({ code: 7, signal: null, out: '' });
  });

  it('a pending answer keeps the process, an idle engine does not', async () => {
    expect(await runChild('end-while-generating')).toEqual({ code: 0, signal: null, out: 'answered\n' });
    expect(await runChild('idle')).toEqual({ code: 0, signal: null, out: 'idle\n' });
  });

  it('a worker thread can be ended in the middle of an answer', async () => {
    expect(await runChild('terminate-worker')).toEqual({ code: 0, signal: null, out: 'terminated\n' });
  });

  it('more jobs than the queue holds are refused as BUSY, the others run', async () => {
    const session = await model.createSession({ maxPositions: 4096 });
    const stop = new addon.StopFlag();
    const running = session.generate(request({ maxNewTokens: 4000, stop }));
    const waiting: Promise<unknown>[] = [];
    const refused = thrownBy(() => {
      for (let index = 0; index < 200; index += 1) waiting.push(session.reset());
    });
    stop.set();
    expect(refused).toMatchObject({ code: 'BUSY' });
    expect(waiting.length).toBeGreaterThanOrEqual(32);
    await Promise.all([running, ...waiting]);
    session.dispose();
  });
});

describe('stopping', () => {
  it('ends a long prefill within 50 ms and leaves the session usable', async () => {
    const session = await model.createSession({ maxPositions: 8192 });
    const expected = await generate(session);
    const latencies: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const stop = new addon.StopFlag();
      const tokens = Int32Array.from({ length: 8000 }, (_, index) => 3 + (index % 500));
      const started = session.generate(request({ tokens, stop, maxNewTokens: 100 }));
      await sleep(20 + 7 * round);
      const stoppedAt = performance.now();
      stop.set();
      const { finish } = await started;
      if (finish === 'cancelled') latencies.push(performance.now() - stoppedAt);
    }
    expect(latencies.length, 'the prefill was over before it could be stopped').toBeGreaterThan(0);
    expect(Math.min(...latencies)).toBeLessThan(50);
    expect((await generate(session)).tokens).toEqual(expected.tokens);
    session.dispose();
  });

  it('ends an answer, which keeps its tokens', async () => {
    const session = await model.createSession({ maxPositions: 8192 });
    const stop = new addon.StopFlag();
    const steps: number[] = [];
    const { finish, position } = await session.generate(request({ maxNewTokens: 8000, stop }), (frame) => {
      steps.push(...frame.steps.map(({ token }) => token));
      if (steps.length > 0) stop.set();
    });
    expect(finish).toBe('cancelled');
    expect(steps.length).toBeLessThan(8000);
    // The last token of the answer is known and not yet consumed.
    const consumed = position - model.info.metaTokens - 3;
    expect([steps.length - 1, steps.length]).toContain(consumed);
    session.dispose();
  });

  it('ends a load', async () => {
    const stop = new addon.StopFlag();
    const loading = addon.loadModel(loadOptions('synthetic:nemotron-flash-1b', { stop }));
    await sleep(30);
    const stoppedAt = performance.now();
    stop.set();
    await expect(loading).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(performance.now() - stoppedAt).toBeLessThan(5000);
  });
});

describe('answers', () => {
  it('frames carry every token once, in order, stamped in ascending order', async () => {
    const session = await model.createSession({ maxPositions: 4096 });
    const { steps, result, frames } = await generate(session, { maxNewTokens: 500 });
    expect(steps).toHaveLength(500);
    expect(result).toMatchObject({ finish: 'length', position: model.info.metaTokens + 3 + 499 });
    for (let index = 1; index < steps.length; index += 1) {
      expect(steps[index]?.stampNs).toBeGreaterThan(steps[index - 1]?.stampNs ?? Infinity);
    }
    expect(frames.length).toBeLessThan(500);
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
