/** Benchmarks and comparisons: their plans, their results, and what may be said of them. */
import type { DeviceKind, Percentiles, WeightFormat } from './domain.ts';
import type { Environment } from './metrics.ts';

export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** The protocol of the paper (arXiv 2511.18890, section 4): decode 8192 tokens at batch 1; prompts of several lengths. */
export interface BenchmarkPlan {
  /** 0: no decode run. */
  readonly decodeTokens: number;
  readonly prefillTokens: readonly number[];
  /** Concurrent sequences, each decoding `sequenceTokens`. */
  readonly sequences: readonly number[];
  readonly sequenceTokens: number;
  readonly repetitions: number;
}

export const benchmarkPlans = {
  paper: {
    decodeTokens: 8192,
    prefillTokens: [512, 2048, 8192],
    sequences: [1, 4, 16],
    sequenceTokens: 256,
    repetitions: 3,
  },
  quick: { decodeTokens: 128, prefillTokens: [128, 512], sequences: [1, 4], sequenceTokens: 32, repetitions: 3 },
} as const satisfies Record<string, BenchmarkPlan>;
export type BenchmarkPlanName = keyof typeof benchmarkPlans;

export interface BenchmarkRow {
  readonly kind: 'decode' | 'prefill' | 'sequences';
  /** Tokens decoded, tokens read, or sequences at once. */
  readonly size: number;
  /** Over the repetitions; of all sequences together. */
  readonly tokensPerSecond: Spread;
  readonly seconds: Spread;
  /** Over the gaps of all repetitions; null for prefill. */
  readonly itlNs: Percentiles | null;
}

export interface Benchmark {
  readonly id: number;
  readonly at: number;
  readonly environment: Environment;
  readonly plan: BenchmarkPlan;
  readonly rows: readonly BenchmarkRow[];
  /** Runs that the context was too short for, in words. */
  readonly leftOut: readonly string[];
}

export interface BenchmarkProgress {
  readonly what: string;
  readonly done: number;
  readonly total: number;
}

/** What an A/B comparison may change; what is absent stays as it is. */
export interface Variant {
  readonly format?: WeightFormat | undefined;
  readonly threads?: number | undefined;
  readonly device?: DeviceKind | undefined;
  /** CUDA: decode steps in one piece, or kernel by kernel. */
  readonly useGraph?: boolean | undefined;
  /** The message is read before the clock starts, as while typing. */
  readonly readsAhead?: boolean | undefined;
}

/** What a run is timed by. ttft: where a side says whether it reads ahead, since only the first token shows that. */
export type ComparedBy = 'itl' | 'ttft';
export const comparedBy = (...variants: readonly Variant[]): ComparedBy =>
  variants.some(({ readsAhead }) => readsAhead !== undefined) ? 'ttft' : 'itl';

/** ABBA: first, second, second, first, so that a drift of clocks and temperature falls on both. */
export interface Comparison {
  readonly first: Environment;
  readonly second: Environment;
  readonly variants: readonly [Variant, Variant];
  readonly comparedBy: ComparedBy;
  /** Median ITL, or TTFT, of each run. */
  readonly firstNs: readonly number[];
  readonly secondNs: readonly number[];
  /** Time of the second over time of the first, with the ends of its 95 % confidence interval. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  readonly verdict: 'faster' | 'slower' | 'not distinguishable';
}

/** By how much more, or less, the second does per second, in percent, with the ends of the interval; never negative. */
export function verdictPercents({ verdict, ratio, low, high }: Verdict): {
  readonly percent: number;
  readonly ends: readonly [number, number];
} {
  // Speed, not time: a ratio of 0.5 is faster by 100 %.
  const of = (share: number): number => 100 * (verdict === 'faster' ? 1 / share - 1 : 1 - 1 / share);
  return { percent: of(ratio), ends: [Math.min(of(low), of(high)), Math.max(of(low), of(high))] };
}

export type Verdict = Pick<Comparison, 'verdict' | 'ratio' | 'low' | 'high'>;

/** Says of the second variant: "faster by 12.3 % (9.8 to 14.7)", or that there is nothing to say. */
export function verdictText(result: Verdict): string {
  const { verdict } = result;
  if (verdict === 'not distinguishable') return verdict;
  const { percent, ends } = verdictPercents(result);
  return `${verdict} by ${percent.toFixed(1)} % (95 % interval ${ends[0].toFixed(1)} to ${ends[1].toFixed(1)} %)`;
}
