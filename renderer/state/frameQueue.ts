/** Collects what arrives and hands it over once per animation frame; while the page is hidden, a few times a second. */

export interface Clock {
  requestFrame(callback: () => void): number;
  cancelFrame(handle: number): void;
  setTimer(callback: () => void, delayMs: number): number;
  clearTimer(handle: number): void;
}

export const pageClock: Clock = {
  requestFrame: (callback) => requestAnimationFrame(callback),
  cancelFrame: (handle) => cancelAnimationFrame(handle),
  setTimer: (callback, delayMs) => window.setTimeout(callback, delayMs),
  clearTimer: (handle) => window.clearTimeout(handle),
};

/** Frames are not drawn in a hidden page, but what arrived must not pile up. */
const hiddenDelayMs = 250;

export interface FrameQueue<T> {
  push(item: T): void;
  /** Hands over now what has been collected. */
  flush(): void;
}

/**
 * `framesToSkip`: animation frames left to the rest of the page before the next delivery; asked for whenever something
 * arrives and nothing waits yet.
 */
export function frameQueue<T>(
  deliver: (items: readonly T[]) => void,
  clock: Clock = pageClock,
  framesToSkip: () => number = () => 0,
): FrameQueue<T> {
  let items: T[] = [];
  let frame: number | null = null;
  let timer: number | null = null;

  function flush(): void {
    if (frame !== null) clock.cancelFrame(frame);
    if (timer !== null) clock.clearTimer(timer);
    frame = null;
    timer = null;
    if (items.length === 0) return;
    const batch = items;
    items = [];
    deliver(batch);
  }

  const flushAfter = (skipped: number): number =>
    clock.requestFrame(skipped === 0 ? flush : () => (frame = flushAfter(skipped - 1)));

  return {
    push(item) {
      items.push(item);
      frame ??= flushAfter(framesToSkip());
      timer ??= clock.setTimer(flush, hiddenDelayMs);
    },
    flush,
  };
}
