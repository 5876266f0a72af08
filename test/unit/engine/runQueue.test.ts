import { describe, expect, it } from 'vitest';

import { RunQueue } from '../../../main/engine/runQueue.ts';

const never = new AbortController().signal;

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
