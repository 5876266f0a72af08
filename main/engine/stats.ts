/** Exact statistics over engine stamps. */
import type { Percentiles, TokenTiming } from '../contract/domain.ts';

/** Nearest-rank percentiles: each is a value that was measured. Null without values. */
export function percentiles(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted[sorted.length - 1] ?? 0 };
}

/** Gaps between consecutive tokens, in nanoseconds. */
export function interTokenNs(tokens: readonly TokenTiming[]): readonly number[] {
  return tokens.slice(1).map((token, index) => token.stampNs - (tokens[index]?.stampNs ?? token.stampNs));
}
