/** Percentiles over any number of values in constant memory: Node's HDR histogram, with an exact maximum. */
import { createHistogram } from 'node:perf_hooks';

import type { Percentiles } from '../contract/domain.ts';
import type { SeriesSummary } from '../contract/metrics.ts';

/** Three significant digits from 1 ns to an hour take about 260 kB, whatever is recorded. */
const range = { lowest: 1, highest: 3_600_000_000_000, figures: 3 } as const;

export class HdrHistogram {
  readonly #histogram = createHistogram(range);
  #max = 0;

  get total(): number {
    return this.#histogram.count;
  }

  /** Of nanoseconds. What lies outside the range counts as its end; the maximum stays exact. */
  record(valueNs: number): void {
    const whole = Math.round(valueNs);
    this.#histogram.record(Math.min(Math.max(whole, range.lowest), range.highest));
    this.#max = Math.max(this.#max, whole);
  }

  /** Within 0.1 % of the exact nearest-rank values; null while empty. */
  percentiles(): Percentiles | null {
    if (this.total === 0) return null;
    // HDR rounds the rank; asking for the share of a whole rank makes it the nearest rank as defined everywhere else.
    const at = (share: number): number => {
      const rank = Math.ceil(share * this.total);
      return Math.min(this.#histogram.percentile((100 * rank) / this.total), this.#max);
    };
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: this.#max };
  }

  summary(): SeriesSummary {
    return { total: this.total, percentiles: this.percentiles() };
  }
}
