import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import type { NativeCheckpoint } from '../../../main/engine/addon.ts';
import { CheckpointPool } from '../../../main/engine/checkpointPool.ts';
import { SavedStates } from '../../../main/engine/savedStates.ts';
import { freshFolder } from '../../support/home.ts';

const fileBytes = 1000;

class FakeCheckpoint implements NativeCheckpoint {
  readonly position: number;
  readonly bytes = 10;
  isDisposed = false;

  constructor(position: number) {
    this.position = position;
  }

  dispose(): void {
    this.isDisposed = true;
  }
}

/** An engine whose files are of one size and good unless `refuse` says why not. */
class FakeNative {
  refuse = '';
  reads: string[] = [];

  async writeCheckpoint(checkpoint: NativeCheckpoint, file: string): Promise<string> {
    expect((checkpoint as FakeCheckpoint).isDisposed).toBe(false);
    writeFileSync(file, Buffer.alloc(fileBytes));
    return '';
  }

  async readCheckpoint(file: string, tokens: Int32Array) {
    this.reads.push(path.basename(file));
    const usable = existsSync(file) && this.refuse === '';
    return { checkpoint: usable ? new FakeCheckpoint(tokens.length) : null, why: this.refuse };
  }
}

const conversation = (length: number, first = 1) => Int32Array.from({ length }, (_, index) => first + index);

function states(root = freshFolder('states'), rest: { source?: string; maxBytes?: number; now?: () => number } = {}) {
  const native = new FakeNative();
  return { root, native, disk: new SavedStates({ root, source: '/models/tiny', native, ...rest }) };
}

describe('states on the disk', () => {
  it('give the furthest one on the way, also to the next start, and only where it helps', async () => {
    const { root, disk } = states();
    for (const length of [300, 400, 500]) await disk.keep(conversation(length), new FakeCheckpoint(length));
    await disk.keep(conversation(600, 7), new FakeCheckpoint(600));
    const { disk: later, native } = states(root);
    expect((await later.find(conversation(450), 0)).found?.tokens).toEqual(conversation(400));
    expect((await later.find(conversation(450), 400)).found).toBeNull();
    expect((await later.find(conversation(500, 9), 0)).found).toBeNull();
    expect(native.reads).toHaveLength(1);
  });

  it('are not used when the engine refuses one: it says why, once, and the next best is tried', async () => {
    const { disk, native, root } = states();
    await disk.keep(conversation(300), new FakeCheckpoint(300));
    native.refuse = 'it was made with another format';
    expect(await disk.find(conversation(900), 0)).toEqual({ found: null, why: 'it was made with another format' });
    expect(await disk.find(conversation(900), 0)).toEqual({ found: null, why: null });
    expect(readdirSync(root, { recursive: true }).filter((name) => String(name).endsWith('.nfstate'))).toEqual([]);
  });

  it('stay within their bytes over all models, and none outlives what was deleted', async () => {
    let now = Date.now();
    const { root, disk } = states(undefined, { maxBytes: 2 * fileBytes, now: () => now });
    const other = states(root, { source: '/models/other', maxBytes: 2 * fileBytes, now: () => now }).disk;
    await disk.keep(conversation(300), new FakeCheckpoint(300));
    const [name] = readdirSync(root, { recursive: true }).filter((entry) => String(entry).endsWith('.nfstate'));
    const old = path.join(root, String(name));
    utimesSync(old, 1000, 1000);
    await other.keep(conversation(301), new FakeCheckpoint(301));
    await other.keep(conversation(302), new FakeCheckpoint(302));
    expect(existsSync(old)).toBe(false);
    expect((await other.find(conversation(302), 0)).found?.tokens).toHaveLength(302);
    expect((await disk.find(conversation(302), 0)).found).toBeNull();
    now += 31 * 24 * 3600 * 1000;
    await disk.keep(conversation(310), new FakeCheckpoint(310));
    expect((await states(root, { source: '/models/other' }).disk.find(conversation(302), 0)).found).toBeNull();
  });
});

describe('a pool with a disk behind it', () => {
  it('moves ends of conversations there when memory is full, brings them back, and lets go of both', async () => {
    const { disk } = states();
    const problems: string[] = [];
    const pool = new CheckpointPool(25, disk, (why) => problems.push(why));
    const checkpoints = [300, 400, 500].map((length) => new FakeCheckpoint(length));
    checkpoints.forEach((checkpoint, index) => pool.add(conversation(checkpoint.position, 1000 * index), checkpoint));
    await pool.flush();
    expect(checkpoints.map(({ isDisposed }) => isDisposed)).toEqual([true, false, false]);
    expect(pool.longestPrefixOf(conversation(350))).toBeNull();
    expect(await pool.fetch(conversation(350, 0), 0)).toEqual({ restored: 300, why: null });
    expect(pool.longestPrefixOf(conversation(350, 0))?.tokens).toHaveLength(300);
    expect(await pool.fetch(conversation(350, 0), 0)).toEqual({ restored: 0, why: null });
    expect(problems).toEqual([]);
  });
});
