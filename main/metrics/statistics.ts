/** The little statistics that measurements need. */
import type { Spread } from '../contract/benchmark.ts';

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/** Two-sided 95 % quantiles of Student's t by degrees of freedom, from 1 on; beyond the table the normal's. */
const student95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

export interface Interval {
  readonly centre: number;
  readonly low: number;
  readonly high: number;
}

/** The mean with its 95 % confidence interval. Needs two values at least; with fewer the interval is unbounded. */
export function meanInterval(values: readonly number[]): Interval {
  const n = values.length;
  const centre = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { centre, low: -Infinity, high: Infinity };
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (n - 1);
  const half = (student95[n - 2] ?? 1.96) * Math.sqrt(variance / n);
  return { centre, low: centre - half, high: centre + half };
}
