import { describe, expect, it } from 'vitest';

import { RunQueue } from '../../../main/engine/runQueue.ts';

const never = new AbortController().signal;
const turn = () => new Promise((resolve) => setTimeout(resolve));

describe('run queue', () => {
  it('runs one at a time, in order', async () => {
    const queue = new RunQueue(10, () => undefined);
    const events: string[] = [];
    const work = (name: string) => async () => {
      events.push(`${name} begins`);
      await Promise.resolve();
      events.push(`${name} ends`);
    };
    await Promise.all(['a', 'b', 'c'].map((name) => queue.run(never, work(name))));
    expect(events).toEqual(['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]));
    expect([queue.running, queue.queued]).toEqual([0, 0]);
  });

  it('runs as many at a time as it has room for, and lets in more when there is more room', async () => {
    const queue = new RunQueue(10, () => undefined);
    queue.setCapacity(2);
    const ends: (() => void)[] = [];
    const runs = Array.from({ length: 5 }, () => queue.run(never, () => new Promise<void>((end) => ends.push(end))));
    expect([queue.running, queue.queued]).toEqual([2, 3]);
    queue.setCapacity(4);
    expect([queue.running, queue.queued]).toEqual([4, 1]);
    queue.setCapacity(1);
    await turn();
    ends.splice(0).forEach((end) => end());
    await Promise.all(runs.slice(0, 4));
    expect([queue.running, queue.queued]).toEqual([1, 0]);
    await turn();
    ends.forEach((end) => end());
    await Promise.all(runs);
  });

  it('what must be alone waits for the others, is not overtaken, and lets nobody in', async () => {
    const queue = new RunQueue(10, () => undefined);
    queue.setCapacity(4);
    const events: string[] = [];
    const run = (name: string, alone = false) =>
      queue.run(
        never,
        async () => {
          events.push(`${name} with ${queue.running}`);
          await new Promise((resolve) => setTimeout(resolve, 1));
        },
        { alone },
      );
    await Promise.all([run('a'), run('b'), run('alone', true), run('c'), run('d')]);
    expect(events).toEqual(['a with 1', 'b with 2', 'alone with 1', 'c with 2', 'd with 2']);
  });

  it('one that must be alone and leaves gives way at once', async () => {
    const queue = new RunQueue(10, () => undefined);
    queue.setCapacity(4);
    let release = () => undefined as void;
    const running = queue.run(never, () => new Promise<void>((resolve) => (release = resolve)));
    const stop = new AbortController();
    const alone = queue.run(stop.signal, async () => 'must not run', { alone: true });
    const after = queue.run(never, async () => 'runs');
    stop.abort();
    expect(await alone).toBeNull();
    expect(await after).toBe('runs');
    release();
    await running;
  });

  it('goes on after work that fails', async () => {
    const queue = new RunQueue(10, () => undefined);
    const failing = queue.run(never, () => Promise.reject(new Error('broken')));
    const next = queue.run(never, async () => 'done');
    await expect(failing).rejects.toThrow('broken');
    expect(await next).toBe('done');
  });

  it('refuses more than may wait, as BUSY and retryable', async () => {
    const queue = new RunQueue(1, () => undefined);
    let release = () => undefined as void;
    const running = queue.run(never, () => new Promise<void>((resolve) => (release = resolve)));
    const waiting = queue.run(never, async () => 1);
    await expect(queue.run(never, async () => 2)).rejects.toMatchObject({ code: 'BUSY', retryable: true });
    release();
    await Promise.all([running, waiting]);
  });

  it('one that is stopped while it waits leaves at once', async () => {
    const queue = new RunQueue(2, () => undefined);
    let release = () => undefined as void;
    const running = queue.run(never, () => new Promise<void>((resolve) => (release = resolve)));
    const stop = new AbortController();
    const waiting = queue.run(stop.signal, async () => 'must not run');
    const after = queue.run(never, async () => 'runs');
    stop.abort();
    expect(await waiting).toBeNull();
    expect(queue.queued).toBe(1);
    release();
    await running;
    expect(await after).toBe('runs');
    await queue.whenIdle();
  });
});
