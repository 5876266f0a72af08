import type { Dispatcher } from 'undici';
import { expect, onTestFinished, test, vi } from 'vitest';

import { ByteFeed } from '../../../main/models/byteFeed.ts';

const chunkBytes = 64 * 1024;
const chunk = () => new Uint8Array(chunkBytes);

/** A connection that remembers what was asked of it. */
class Connection implements Dispatcher.DispatchController {
  aborted = false;
  paused = false;
  reason: Error | null = null;
  abort(reason: Error): void {
    this.aborted = true;
    this.reason = reason;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
}

function connected(signal?: AbortSignal) {
  const feed = new ByteFeed(signal);
  const connection = new Connection();
  feed.onRequestStart(connection);
  return { feed, connection };
}

const sizes = (batch: readonly Uint8Array[] | null) => batch?.map((piece) => piece.byteLength);

test('the head comes with the real answer, not with an informational one', async () => {
  const { feed, connection } = connected();
  feed.onResponseStart(connection, 103, { link: 'early' });
  feed.onResponseStart(connection, 206, { etag: '"a"', 'set-cookie': ['x', 'y'] });
  const { status, headers } = await feed.head;
  expect(status).toBe(206);
  expect(headers.get('etag')).toBe('"a"');
  expect(headers.get('link')).toBeNull();
});

test('fast bytes come in batches of a megabyte, slow ones after a moment, and null ends them', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { feed, connection } = connected();
  const first = feed.next();
  for (let i = 0; i < 16; i++) feed.onResponseData(connection, chunk());
  expect(sizes(await first)).toEqual(Array(16).fill(chunkBytes));
  const slow = feed.next();
  feed.onResponseData(connection, new Uint8Array(3));
  await vi.advanceTimersByTimeAsync(20);
  feed.onResponseData(connection, new Uint8Array(4));
  await vi.advanceTimersByTimeAsync(100);
  expect(sizes(await slow)).toEqual([3, 4]);
  feed.onResponseData(connection, new Uint8Array(5));
  feed.onResponseEnd();
  expect(sizes(await feed.next())).toEqual([5]);
  expect(await feed.next()).toBeNull();
});

test('a reader that is away holds the connection back', async () => {
  const { feed, connection } = connected();
  for (let i = 0; i < 32; i++) {
    expect(connection.paused).toBe(false);
    feed.onResponseData(connection, chunk());
  }
  expect(connection.paused).toBe(true);
  expect((await feed.next())?.length).toBe(32);
  expect(connection.paused).toBe(false);
});

test('what came before a broken connection is handed out before its error', async () => {
  const { feed, connection } = connected();
  feed.onResponseStart(connection, 200, {});
  feed.onResponseData(connection, new Uint8Array(7));
  feed.onResponseError(connection, new Error('broke'));
  expect(sizes(await feed.next())).toEqual([7]);
  await expect(feed.next()).rejects.toThrow('broke');
});

test('a signal gives the connection up, before and after it is there', async () => {
  const stop = new AbortController();
  const { feed, connection } = connected(stop.signal);
  const waiting = feed.next();
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await expect(feed.head).rejects.toThrow('enough');
  expect(connection.aborted).toBe(true);
  expect(connected(stop.signal).connection.aborted).toBe(true);
});
