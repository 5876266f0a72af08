import { cpSync, existsSync, mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { loadAddon } from '../../main/engine/addon.ts';
import type { Addon, NativeLoadProgress, NativeModel } from '../../main/engine/addon.ts';
import { makeWeights } from '../../main/engine/makeWeights.ts';
import { loadOptions } from '../support/nativeRequests.ts';

const golden = path.resolve(import.meta.dirname, '..', 'golden', 'tiny');
const folder = mkdtempSync(path.join(tmpdir(), 'nemoflash-cache-'));
const source = path.join(folder, 'tiny');
beforeAll(() => cpSync(golden, source, { recursive: true }));
afterAll(() => rmSync(folder, { recursive: true }));

let addon: Addon;
beforeAll(() => {
  addon = loadAddon();
});

async function load(cacheDir: string): Promise<NativeModel> {
  return addon.loadModel(loadOptions(source, { format: 'int4', cacheDir, contextPositions: 64 }));
}

async function logitsOf(model: NativeModel): Promise<Float32Array> {
  const session = await model.createSession({ maxPositions: 64 });
  await session.evaluate({ tokens: Int32Array.of(3, 5, 8), hidden: false }, () => undefined);
  const logits = await session.logits();
  session.dispose();
  model.dispose();
  return logits;
}

describe('the weight cache', () => {
  it('serves the second load, which says so and answers the same', async () => {
    const cacheDir = path.join(folder, 'twice');
    const made = await load(cacheDir);
    expect([made.info.weightsFrom, made.info.cacheNotice]).toEqual(['source', '']);
    const found = await load(cacheDir);
    expect([found.info.weightsFrom, found.info.cacheNotice]).toEqual(['cache', '']);
    expect(found.info.weightBytes).toBe(made.info.weightBytes);
    expect(await logitsOf(found)).toEqual(await logitsOf(made));
  });

  it('a damaged one is told of and made anew', async () => {
    const cacheDir = path.join(folder, 'damaged');
    await load(cacheDir);
    const file = path.join(cacheDir, 'int4.nfweights');
    const { size } = statSync(file);
    truncateSync(file, size - 100);
    const rebuilt = await load(cacheDir);
    expect(rebuilt.info.weightsFrom).toBe('source');
    expect(rebuilt.info.cacheNotice).toContain('int4.nfweights');
    expect(statSync(file).size).toBe(size);
  });

  it('is made ahead of time, once, while the engine does other things', async () => {
    const cacheDir = path.join(folder, 'ahead');
    const place = { ...loadOptions(source, { format: 'int4', cacheDir, contextPositions: 64 }) };
    const progress: NativeLoadProgress[] = [];
    const [made] = await Promise.all([addon.makeCache(place, (news) => progress.push(news)), addon.devices()]);
    expect(made).toEqual({ kept: true, notice: '' });
    expect(existsSync(path.join(cacheDir, 'int4.nfweights'))).toBe(true);
    expect((await load(cacheDir)).info.weightsFrom).toBe('cache');
    expect(await addon.makeCache(place)).toEqual({ kept: true, notice: '' });
  });

  it('made ahead of time can be stopped, and leaves nothing', async () => {
    const cacheDir = path.join(folder, 'stopped');
    const request = { source, format: 'int4', cacheDir, onBytes: () => undefined } as const;
    await expect(makeWeights({ ...request, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(existsSync(cacheDir)).toBe(false);
  });

  it('a place that cannot be written to is an error for whoever asked for it ahead of time', async () => {
    const cacheDir = path.join(source, 'config.json', 'cache');
    const request = { source, format: 'int4', cacheDir, onBytes: () => undefined } as const;
    await expect(makeWeights({ ...request, signal: new AbortController().signal })).rejects.toMatchObject({
      code: 'DISK',
    });
  });
});
