import { describe, expect, it } from 'vitest';

import { percentiles as exactPercentiles } from '../../../main/engine/stats.ts';
import { HdrHistogram } from '../../../main/metrics/hdrHistogram.ts';
import { randomOf } from '../../support/random.ts';

/** Gaps as a GPU gives them: narrow around 3 ms, with a heavy tail. */
function gaps(n: number): number[] {
  const { below } = randomOf(42);
  const random = (): number => below(1e6) / 1e6;
  return Array.from({ length: n }, () =>
    Math.round(3e6 * (1 + 0.05 * random()) + (random() < 0.02 ? 4e7 * random() : 0)),
  );
}

describe('HDR histogram', () => {
  it.each([1, 2, 3, 99, 100, 101, 5000])('agrees with the exact percentiles of %i values to 0.1 %%', (n) => {
    const values = gaps(n);
    const histogram = new HdrHistogram();
    for (const value of values) histogram.record(value);
    const exact = exactPercentiles(values)!;
    const found = histogram.percentiles()!;
    expect(histogram.total).toBe(n);
    expect(found.max).toBe(exact.max);
    for (const name of ['p50', 'p95', 'p99'] as const) {
      expect(Math.abs(found[name] - exact[name]) / exact[name], name).toBeLessThanOrEqual(0.001);
    }
  });

  it('keeps p99 and the maximum of a million tokens, and grows by nothing', () => {
    const histogram = new HdrHistogram();
    histogram.record(3e6);
    const before = process.memoryUsage();
    const slowest = 812_345_678;
    for (let token = 1; token < 1_000_000; token += 1) {
      // One token in fifty takes 9 ms, one of all takes longest.
      histogram.record(token === 123_456 ? slowest : token % 50 === 0 ? 9e6 : 3e6);
    }
    const after = process.memoryUsage();
    const found = histogram.percentiles()!;
    expect(found.p50 / 3e6).toBeCloseTo(1, 2);
    expect(found.p99 / 9e6).toBeCloseTo(1, 2);
    expect(found.max).toBe(slowest);
    expect(histogram.total).toBe(1_000_000);
    // A million numbers kept would be 8 MB.
    expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(4e6);
  });

  it('has no percentiles while it is empty, and takes what lies outside its range as its end', () => {
    const histogram = new HdrHistogram();
    expect(histogram.summary()).toEqual({ total: 0, percentiles: null });
    histogram.record(0);
    histogram.record(1e15);
    expect(histogram.percentiles()!.max).toBe(1e15);
  });
});
