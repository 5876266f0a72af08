/** When this start reached what: process, services, shell, model, and the page's first paint and composer. */
import { performance } from 'node:perf_hooks';

import type { EngineStatus } from '../contract/domain.ts';
import type { Startup, StartupMark } from '../contract/metrics.ts';
import type { MetricsStore } from './metricsStore.ts';

export class StartupClock {
  readonly #store: MetricsStore;
  readonly #id: number;
  readonly #marks: Partial<Record<StartupMark, number>> = {};
  readonly #now: () => number;

  /** `now`: milliseconds since the process began. */
  constructor(store: MetricsStore, appVersion: string, now: () => number = () => performance.now()) {
    this.#store = store;
    this.#now = now;
    this.#id = store.addStartup(Math.round(performance.timeOrigin), appVersion);
    this.#marks.process = 0;
    this.mark('services');
  }

  /** Only the first of a kind counts. */
  mark(name: StartupMark, atMs: number = this.#now()): void {
    if (this.#marks[name] !== undefined) return;
    this.#marks[name] = Math.round(10 * atMs) / 10;
    this.#store.setStartupMarks(this.#id, this.#marks);
  }

  /** The first model of a start: asked for, weights in place, able to answer. */
  onStatus(status: EngineStatus): void {
    if (this.#marks.modelReady !== undefined) return;
    if (status.state === 'loading') {
      this.mark('modelBegin');
      if (status.phase === 'warming' || (status.totalBytes > 0 && status.doneBytes === status.totalBytes)) {
        this.mark('modelMapped');
      }
    }
    if (status.state === 'ready') {
      this.mark('modelMapped');
      this.mark('modelReady');
    }
  }

  /** `marks`: milliseconds of the page's clock; `agoMs`: how long ago that clock began. */
  pageMarks(marks: Readonly<Partial<Record<StartupMark, number | undefined>>>, agoMs: number): void {
    const beganMs = this.#now() - agoMs;
    for (const [name, atMs] of Object.entries(marks)) {
      if (atMs !== undefined) this.mark(name as StartupMark, beganMs + atMs);
    }
  }

  list(limit: number): readonly Startup[] {
    return this.#store.startups(limit);
  }
}
