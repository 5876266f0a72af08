import { describe, expect, it } from 'vitest';

import type { NativeCheckpoint, NativeGenerateResult } from '../../../main/engine/addon.ts';
import { CheckpointPool } from '../../../main/engine/checkpointPool.ts';
import { Position } from '../../../main/engine/position.ts';
import { randomOf } from '../../support/random.ts';

class FakeCheckpoint implements NativeCheckpoint {
  readonly position: number;
  readonly bytes: number;
  isDisposed = false;

  constructor(position: number, bytes = 10) {
    this.position = position;
    this.bytes = bytes;
  }

  dispose(): void {
    this.isDisposed = true;
  }
}

const tokensOf = (text: string) => Int32Array.from([...text].map((letter) => letter.charCodeAt(0)));

describe('checkpoint pool', () => {
  it('finds the longest prefix, whatever was added and dropped, and stays within its bytes', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const random = randomOf(seed);
      const text = () => Array.from({ length: 1 + random.below(6) }, () => random.pick(['a', 'b'])).join('');
      const pool = new CheckpointPool(100);
      const added = new Map<string, FakeCheckpoint>();
      for (let step = 0; step < 60; step += 1) {
        const key = text();
        const checkpoint = new FakeCheckpoint(key.length, 1 + random.below(40));
        pool.add(tokensOf(key), checkpoint);
        added.set(key, checkpoint);
        expect(pool.bytes).toBeLessThanOrEqual(100);
        const alive = [...added].filter(([, entry]) => !entry.isDisposed).map(([name]) => name);
        expect(pool.size).toBe(alive.length);
        const query = text();
        const best = alive.filter((name) => query.startsWith(name)).sort((a, b) => b.length - a.length)[0];
        const found = pool.longestPrefixOf(tokensOf(query));
        expect(found === null ? undefined : String.fromCharCode(...found.tokens)).toBe(best);
      }
      pool.clear();
      for (const checkpoint of added.values()) expect(checkpoint.isDisposed).toBe(true);
    }
  });

  it('drops what was used least recently', () => {
    const pool = new CheckpointPool(25);
    pool.add(tokensOf('a'), new FakeCheckpoint(1));
    pool.add(tokensOf('b'), new FakeCheckpoint(1));
    pool.longestPrefixOf(tokensOf('a'));
    pool.add(tokensOf('c'), new FakeCheckpoint(1));
    expect(pool.has(tokensOf('a'))).toBe(true);
    expect(pool.has(tokensOf('b'))).toBe(false);
  });
});

describe('position', () => {
  const metaTokens = 8;
  const promptOf = (text: string, boundaries: readonly number[] = []) => ({ tokens: tokensOf(text), boundaries });
  const resultAt = (position: number, rest: Partial<NativeGenerateResult> = {}): NativeGenerateResult => ({
    finish: 'stop',
    position: position + metaTokens,
    startedNs: 0,
    prefilledNs: 0,
    finishedNs: 0,
    before: null,
    saved: [],
    stageNs: null,
    ...rest,
  });
  const here = () => new Position(new CheckpointPool(1000), metaTokens);

  it('goes on where the session stands when the prompt does', () => {
    const position = here();
    const first = promptOf('question');
    const route = position.routeTo(first);
    expect(route).toMatchObject({ start: 'current', reusedTokens: 0, saveFirst: false });
    position.arrive(first, route, [...tokensOf('answer')], resultAt('questionanswer'.length - 1));
    const next = position.routeTo(promptOf('questionanswer and more'));
    expect(next).toMatchObject({ start: 'current', reusedTokens: 'questionanswe'.length, saveFirst: false });
    expect(String.fromCharCode(...next.tokens)).toBe('r and more');
  });

  it('never goes on without a token to read: the same prompt again needs its checkpoint', () => {
    const position = here();
    const prompt = promptOf('same');
    const route = position.routeTo(prompt);
    const checkpoint = new FakeCheckpoint(4);
    position.arrive(prompt, route, [1], resultAt(4, { saved: [{ after: 4, checkpoint }] }));
    expect(position.routeTo(prompt)).toMatchObject({ start: 'checkpoint', checkpoint, reusedTokens: 4, saveAfter: [] });
    const bare = here();
    bare.arrive(prompt, bare.routeTo(prompt), [1], resultAt(4));
    expect(bare.routeTo(prompt)).toMatchObject({ start: 'empty', reusedTokens: 0, saveFirst: true });
  });

  it('keeps what it leaves, so that coming back reads nothing twice', () => {
    const position = here();
    const one = promptOf('one chat');
    position.arrive(one, position.routeTo(one), [], resultAt(8));
    const other = promptOf('another chat');
    const route = position.routeTo(other);
    expect(route.saveFirst).toBe(true);
    position.arrive(other, route, [], resultAt(12, { before: new FakeCheckpoint(8) }));
    expect(position.routeTo(promptOf('one chat goes on'))).toMatchObject({ start: 'checkpoint', reusedTokens: 8 });
  });

  it('after a failure trusts only checkpoints', () => {
    const position = here();
    const prompt = promptOf('abc');
    position.arrive(prompt, position.routeTo(prompt), [], resultAt(3));
    position.lose();
    expect(position.routeTo(promptOf('abcd'))).toMatchObject({ start: 'empty', saveFirst: false });
  });

  it('saves at the prompt’s end and at few boundaries before it, far enough apart', () => {
    const text = 'x'.repeat(1000);
    const route = here().routeTo(promptOf(text, [100, 400, 410, 600, 800, 990, 1000]));
    expect(route.saveAfter.at(-1)).toBe(1000);
    expect(route.saveAfter.length).toBeLessThanOrEqual(4);
    expect([...route.saveAfter].sort((a, b) => a - b)).toEqual(route.saveAfter);
    expect(route.saveAfter).toContain(990);
  });
});
