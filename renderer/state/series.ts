/** Values in the order of arrival, with their histogram. */
import { Histogram } from './histogram.ts';

/** So many newest values are kept for drawing; percentiles are of all. */
const keptValues = 16_384;

/** Memory stops growing once the newest values fill it. */
export class Series {
  #values = new Float64Array(256);
  #total = 0;
  readonly histogram = new Histogram();

  /** Of all values ever pushed. */
  get total(): number {
    return this.#total;
  }

  push(value: number): void {
    const slot = this.#total % keptValues;
    if (slot === this.#values.length) {
      const grown = new Float64Array(2 * slot);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[slot] = value;
    this.#total += 1;
    this.histogram.record(value);
  }

  /** A copy of the newest ones, oldest first. */
  values(): Float64Array {
    if (this.#total <= keptValues) return this.#values.slice(0, this.#total);
    const oldest = this.#total % keptValues;
    const copy = new Float64Array(keptValues);
    copy.set(this.#values.subarray(oldest));
    copy.set(this.#values.subarray(0, oldest), keptValues - oldest);
    return copy;
  }

  /** The value pushed as number `index`, while it is kept; NaN otherwise. */
  at(index: number): number {
    if (index < this.first || index >= this.#total) return Number.NaN;
    return this.#values[index % keptValues] ?? Number.NaN;
  }

  /** Number of the oldest value kept. */
  get first(): number {
    return Math.max(0, this.#total - keptValues);
  }
}
