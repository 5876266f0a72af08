import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { errorCodes } from '../../main/contract/errors.ts';
import { loadAddon } from '../../main/engine/addon.ts';
import type { Addon, NativeModel } from '../../main/engine/addon.ts';
import { generate, greedy, loadOptions, request } from '../support/nativeRequests.ts';

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

const thrownBy = (action: () => unknown): unknown => {
  try {
    action();
    return null;
  } catch (error) {
    return error;
  }
};

const child = path.resolve(import.meta.dirname, '..', 'support', 'addonChild.ts');

/** Runs addonChild.ts; a hang ends by signal after two minutes and fails the test that awaits it. */
async function runChild(action: string): Promise<{ code: number | null; signal: string | null; out: string }> {
  const program = spawn(process.execPath, [child, action], { timeout: 120_000, killSignal: 'SIGKILL' });
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
    const session = await model.createSession({ maxPositions: 256 });
    // The engine's thread waits for this listener, and so for the end of this loop.
    const running = session.evaluate({ tokens: Int32Array.of(5, 6, 7), hidden: false }, () => undefined);
    const waiting: Promise<unknown>[] = [];
    const refused = thrownBy(() => {
      for (let index = 0; index < 200; index += 1) waiting.push(session.reset());
    });
    expect(refused).toMatchObject({ code: 'BUSY' });
    expect(waiting.length).toBeGreaterThanOrEqual(32);
    await Promise.all([running, ...waiting]);
    session.dispose();
  });
});

describe('stopping', () => {
  it('ends a long prefill within 50 ms of work and leaves the session usable', async () => {
    const large = await addon.loadModel(loadOptions('synthetic:tiny', { contextPositions: 65_536 }));
    const session = await large.createSession({ maxPositions: 65_536 });
    const expected = await generate(session);
    const stop = new addon.StopFlag();
    const tokens = Int32Array.from({ length: 60_000 }, (_, index) => 3 + (index % 500));
    let stopped: NodeJS.CpuUsage | undefined;
    const { finish, position } = await session.generate(request({ tokens, stop, maxNewTokens: 100 }), () => {
      stop.set();
      stopped ??= process.cpuUsage();
    });
    // What is computed after the stop, and not how long that waits for a processor.
    const { user, system } = process.cpuUsage(stopped);
    expect([finish, position < tokens.length]).toEqual(['cancelled', true]);
    expect((user + system) / large.info.threads).toBeLessThan(50_000);
    expect((await generate(session)).tokens).toEqual(expected.tokens);
    session.dispose();
    large.dispose();
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
    let done = 0;
    const loading = addon.loadModel(
      loadOptions('synthetic:nemotron-flash-1b', { format: 'int4', stop }),
      (progress) => {
        stop.set();
        done = progress.doneBytes / progress.totalBytes;
      },
    );
    await expect(loading).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(done).toBeLessThan(0.5);
  });
});
