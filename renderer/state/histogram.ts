/** Histogram with logarithmic buckets: percentiles within 0.1 % of the exact value, constant memory, O(1) per value. */
import type { Percentiles } from '../../main/contract/domain.ts';

const growth = Math.log(1.002);
/** 100 ns to about an hour when values are nanoseconds. */
const lowest = 100;
const bucketCount = 12_200;

export class Histogram {
  readonly #counts = new Uint32Array(bucketCount);
  #total = 0;
  #max = 0;
  /** The first bucket in use. */
  #lowest = bucketCount;

  get total(): number {
    return this.#total;
  }

  record(value: number): void {
    const index = Math.ceil(Math.log(Math.max(value, lowest) / lowest) / growth);
    const bucket = Math.min(index, bucketCount - 1);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
    this.#max = Math.max(this.#max, value);
    this.#lowest = Math.min(this.#lowest, bucket);
  }

  /** null while empty. */
  percentiles(): Percentiles | null {
    if (this.#total === 0) return null;
    // One walk: asked for several times a second while an answer is written.
    let bucket = this.#lowest;
    let seen = this.#counts[bucket] ?? 0;
    const at = (share: number): number => {
      const rank = Math.max(1, Math.ceil(share * this.#total));
      while (seen < rank) seen += this.#counts[++bucket] ?? 0;
      // The middle of the bucket, but never more than what was really seen.
      return Math.min(this.#max, lowest * Math.exp((bucket - 0.5) * growth));
    };
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: this.#max };
  }
}

/** Exact, by nearest rank; for data that is at hand in full. null when there is none. */
export function exactPercentiles(values: Float64Array): Percentiles | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted();
  const at = (share: number): number => sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}
