/** The last things that happened in main besides writing tokens, so that a slow token can be explained. */
import { PerformanceObserver, performance } from 'node:perf_hooks';

import type { Happening } from '../contract/metrics.ts';

interface Span {
  readonly kind: Happening['kind'];
  /** Of performance.now(). */
  readonly fromMs: number;
  readonly toMs: number;
}

/** Enough for minutes; older ones make room. */
const kept = 512;

export class Timeline {
  readonly #spans: Span[] = [];
  #next = 0;
  /** When something that lasts was last seen to be on. */
  readonly #observedMs = new Map<Happening['kind'], number>();

  note(kind: Happening['kind'], fromMs: number, toMs: number): void {
    this.#spans[this.#next] = { kind, fromMs, toMs };
    this.#next = (this.#next + 1) % kept;
  }

  /**
   * For what lasts from one observation to the next: while `isOn` holds, the time since the last call belongs to it, if
   * that was at most `longestMs` ago.
   */
  observe(kind: Happening['kind'], isOn: boolean, longestMs: number): void {
    const now = performance.now();
    const since = this.#observedMs.get(kind);
    if (since !== undefined && now - since <= longestMs) this.note(kind, since, now);
    if (isOn) this.#observedMs.set(kind, now);
    else this.#observedMs.delete(kind);
  }

  /** What overlaps a stretch of time, one entry per kind, with the time it took of the stretch. */
  during(fromMs: number, toMs: number): readonly Happening[] {
    const byKind = new Map<Happening['kind'], number>();
    for (const span of this.#spans) {
      const overlapMs = Math.min(span.toMs, toMs) - Math.max(span.fromMs, fromMs);
      if (overlapMs <= 0) continue;
      byKind.set(span.kind, (byKind.get(span.kind) ?? 0) + overlapMs);
    }
    return [...byKind].map(([kind, ms]) => ({ kind, durationNs: Math.round(ms * 1e6) }));
  }

  /** Notes garbage collections until the returned function is called. Costs nothing between two of them. */
  watchGarbageCollection(): () => void {
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) this.note('gc', entry.startTime, entry.startTime + entry.duration);
    });
    observer.observe({ entryTypes: ['gc'] });
    return () => observer.disconnect();
  }
}

/** What turns stamps of the engine's clock into performance.now(), in milliseconds to add. */
export function clockOffsetMs(engineNowNs: number): number {
  return performance.now() - engineNowNs / 1e6;
}
