import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { weightsFolder } from '../../../main/home.ts';
import { WeightCaches } from '../../../main/models/weightCaches.ts';
import { freshFolder } from '../../support/home.ts';

const folder = freshFolder('weight-caches');
afterAll(() => rmSync(folder, { recursive: true }));

const cacheFolder = path.join(folder, 'cache');
const snapshot = (root: string) => path.join(folder, root, 'models--a--b', 'snapshots', '0'.repeat(40));

function put(caches: WeightCaches, modelFolder: string, format: string, sizeBytes: number): string {
  const file = path.join(caches.folder(modelFolder), `${format}.nfweights`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, Buffer.alloc(sizeBytes));
  return file;
}

describe('where converted weights are kept', () => {
  it('a downloaded model has them on its own disk, any other folder in the cache of the app', () => {
    expect(weightsFolder(cacheFolder, '/m/models--a--b/snapshots/c0ffee')).toBe('/m/models--a--b/nemoflash/c0ffee');
    expect(path.dirname(weightsFolder(cacheFolder, '/home/me/model'))).toBe(path.join(cacheFolder, 'weights'));
    expect(weightsFolder(cacheFolder, '/home/me/model')).not.toBe(weightsFolder(cacheFolder, '/home/you/model'));
  });
});

describe('converted weights of a model', () => {
  it('are listed with their sizes and deleted one by one', async () => {
    const caches = new WeightCaches(cacheFolder);
    const model = snapshot('one');
    const file = put(caches, model, 'int4', 5000);
    expect(await caches.list(model)).toEqual([
      { format: 'bf16', cachedBytes: null, stoppedBytes: 0 },
      { format: 'int8', cachedBytes: null, stoppedBytes: 0 },
      { format: 'mixed', cachedBytes: null, stoppedBytes: 0 },
      { format: 'int4', cachedBytes: 5000, stoppedBytes: 0 },
    ]);
    expect(await caches.remove(model, 'int8')).toBe(0);
    expect(await caches.remove(model, 'int4')).toBe(5000);
    expect(existsSync(file)).toBe(false);
  });

  it('are deleted with what a stopped conversion left of them', async () => {
    const caches = new WeightCaches(cacheFolder);
    const file = put(caches, snapshot('stopped'), 'int4', 5);
    for (const ending of ['.part', '.journal']) writeFileSync(file + ending, 'left');
    rmSync(file);
    expect(await caches.get(snapshot('stopped'), 'int4')).toEqual({
      format: 'int4',
      cachedBytes: null,
      stoppedBytes: 4,
    });
    expect(await caches.remove(snapshot('stopped'), 'int4')).toBe(8);
    expect(existsSync(`${file}.part`) || existsSync(`${file}.journal`)).toBe(false);
  });

  it('go with the model', async () => {
    const caches = new WeightCaches(cacheFolder);
    put(caches, snapshot('two'), 'int4', 10);
    put(caches, snapshot('two'), 'mixed', 20);
    expect(await caches.removeAll(snapshot('two'))).toBe(30);
    expect(existsSync(caches.folder(snapshot('two')))).toBe(false);
  });

  it('move with the model', async () => {
    const caches = new WeightCaches(cacheFolder);
    put(caches, snapshot('three'), 'int4', 10);
    await caches.move(snapshot('three'), snapshot('four'));
    expect((await caches.get(snapshot('four'), 'int4')).cachedBytes).toBe(10);
    expect((await caches.get(snapshot('three'), 'int4')).cachedBytes).toBeNull();
  });

  it('a model without any moves too', async () => {
    const caches = new WeightCaches(cacheFolder);
    await caches.move(snapshot('five'), snapshot('six'));
    expect((await caches.get(snapshot('six'), 'int4')).cachedBytes).toBeNull();
  });
});
