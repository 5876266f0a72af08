/** Two settings against each other with a stop-watch: interleaved runs, and what may be said of them. */
import { defaultSampling } from '../contract/domain.ts';
import type { LoadRequest } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { BenchmarkProgress, Comparison, Variant } from '../contract/metrics.ts';
import type { EngineService } from '../engine/engineApi.ts';
import { fixedPrompt } from './fixedPrompt.ts';
import { meanInterval } from './statistics.ts';

const promptTokens = 32;
const warmUpTokens = 8;

/**
 * `firstNs` and `secondNs` hold the runs in the order of time, two of each per round. Each round gives one difference
 * of logarithms; their mean and its t-interval, turned back, are the ratio of times.
 */
export function compareRuns(
  firstNs: readonly number[],
  secondNs: readonly number[],
): Pick<Comparison, 'ratio' | 'low' | 'high' | 'verdict'> {
  const differences: number[] = [];
  const meanLog = (values: readonly number[], round: number): number =>
    (Math.log(values[2 * round] ?? 1) + Math.log(values[2 * round + 1] ?? 1)) / 2;
  for (let round = 0; 2 * round + 1 < firstNs.length; round += 1) {
    differences.push(meanLog(secondNs, round) - meanLog(firstNs, round));
  }
  const { centre, low, high } = meanInterval(differences);
  const verdict = high < 0 ? 'faster' : low > 0 ? 'slower' : 'not distinguishable';
  return { ratio: Math.exp(centre), low: Math.exp(low), high: Math.exp(high), verdict };
}

export interface ComparisonRun {
  readonly engine: EngineService;
  /** What is loaded now, or would be. */
  readonly base: LoadRequest;
  readonly first: Variant;
  readonly second: Variant;
  /** Each is first, second, second, first. */
  readonly rounds: number;
  readonly tokens: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BenchmarkProgress) => void;
  /** Called when the first, and when the second is loaded for the first time. */
  readonly onLoaded?: (() => Promise<void>) | undefined;
}

export interface ComparedRuns {
  readonly firstNs: readonly number[];
  readonly secondNs: readonly number[];
}

/** Loads and runs the two in turn; the model that is loaded afterwards is the first. Throws CANCELLED. */
export async function runComparison(run: ComparisonRun): Promise<ComparedRuns> {
  const { engine, base, first, second, rounds, tokens, signal, onProgress } = run;
  const times = { first: [] as number[], second: [] as number[] };
  const variants = { first, second };
  const order = ['first', 'second', 'second', 'first'] as const;
  const total = order.length * rounds;
  let loaded: keyof typeof variants | null = null;
  for (let index = 0; index < total; index += 1) {
    const which = order[index % order.length] ?? 'first';
    if (signal.aborted) throw new AppError('CANCELLED', 'The comparison was stopped.');
    onProgress({ what: `run ${index + 1} of ${total}`, done: index, total });
    if (loaded !== which) await engine.load({ ...base, ...definedOf(variants[which]) });
    loaded = which;
    if (times[which].length === 0) await run.onLoaded?.();
    await decode(engine, warmUpTokens, index, signal);
    times[which].push(await decode(engine, tokens, index, signal));
  }
  onProgress({ what: 'done', done: total, total });
  return { firstNs: times.first, secondNs: times.second };
}

function definedOf(variant: Variant): Partial<LoadRequest> {
  return Object.fromEntries(Object.entries(variant).filter(([, value]) => value !== undefined));
}

/** Median gap of one run. */
async function decode(engine: EngineService, maxNewTokens: number, run: number, signal: AbortSignal): Promise<number> {
  const { stats } = await engine.generate({
    prompt: fixedPrompt(engine, promptTokens, run),
    sampling: { ...defaultSampling, temperature: 0, seed: 0, maxNewTokens },
    ignoreEnd: true,
    isMeasurement: true,
    signal,
  });
  if (stats.finishReason === 'cancelled') throw new AppError('CANCELLED', 'The comparison was stopped.');
  if (stats.itlNs === null) throw new AppError('BAD_ARGUMENT', 'A comparison needs room for two tokens at least.');
  return stats.itlNs.p50;
}
