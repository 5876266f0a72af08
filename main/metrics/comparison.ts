/** Two settings against each other with a stop-watch: interleaved runs, and what may be said of them. */
import { defaultSampling } from '../contract/domain.ts';
import type { LoadRequest } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { comparedBy } from '../contract/benchmark.ts';
import type { BenchmarkProgress, Comparison, Variant } from '../contract/benchmark.ts';
import type { EngineService, Prompt } from '../engine/engineApi.ts';
import { fixedPrompt } from './fixedPrompt.ts';
import { meanInterval } from './statistics.ts';

const promptTokens = 32;
const warmUpTokens = 8;
/** A message of a paragraph. */
const messageTokens = 256;

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

/** `readsAhead` is no matter of loading. */
function loadOf(base: LoadRequest, { readsAhead: _, ...change }: Variant): LoadRequest {
  return { ...base, ...Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) };
}

export interface ComparedRuns {
  readonly firstNs: readonly number[];
  readonly secondNs: readonly number[];
}

/** Loads and runs the two in turn; the model that is loaded afterwards is the first. Throws CANCELLED. */
export async function runComparison(run: ComparisonRun): Promise<ComparedRuns> {
  const { engine, base, first, second, rounds, tokens, signal, onProgress } = run;
  const by = comparedBy(first, second);
  const times = { first: [] as number[], second: [] as number[] };
  const variants = { first, second };
  const order = ['first', 'second', 'second', 'first'] as const;
  const total = order.length * rounds;
  let loaded = '';
  for (let index = 0; index < total; index += 1) {
    const which = order[index % order.length] ?? 'first';
    if (signal.aborted) throw new AppError('CANCELLED', 'The comparison was stopped.');
    onProgress({ what: `run ${index + 1} of ${total}`, done: index, total });
    const load = loadOf(base, variants[which]);
    if (loaded !== JSON.stringify(load)) await engine.load(load);
    loaded = JSON.stringify(load);
    if (times[which].length === 0) await run.onLoaded?.();
    await decode(engine, warmUpTokens, index, signal);
    const time =
      by === 'itl'
        ? await decode(engine, tokens, index, signal)
        : await answer(engine, variants[which].readsAhead === true, index, signal);
    times[which].push(time);
  }
  onProgress({ what: 'done', done: total, total });
  return { firstNs: times.first, secondNs: times.second };
}

/** Median gap of one run. */
async function decode(engine: EngineService, maxNewTokens: number, run: number, signal: AbortSignal): Promise<number> {
  const stats = await measure(engine, fixedPrompt(engine, promptTokens, run), maxNewTokens, signal);
  if (stats.itlNs === null) throw new AppError('BAD_ARGUMENT', 'A comparison needs room for two tokens at least.');
  return stats.itlNs.p50;
}

/** From Enter to the first token, of a message that was read while it was typed, or not. */
async function answer(engine: EngineService, readsAhead: boolean, run: number, signal: AbortSignal): Promise<number> {
  // Another message in every run, and another one than any that decode() has seen.
  const prompt = fixedPrompt(engine, messageTokens, 1_000_000 + run);
  if (readsAhead) await measure(engine, prompt, 0, signal);
  const { ttftNs, reusedTokens } = await measure(engine, prompt, 1, signal);
  if (readsAhead && reusedTokens < messageTokens) {
    throw new AppError('INTERNAL', `Of ${messageTokens} tokens read ahead only ${reusedTokens} were there at Enter.`);
  }
  return ttftNs;
}

async function measure(engine: EngineService, prompt: Prompt, maxNewTokens: number, signal: AbortSignal) {
  const { stats } = await engine.generate({
    prompt,
    sampling: { ...defaultSampling, temperature: 0, seed: 0, maxNewTokens },
    ignoreEnd: true,
    isMeasurement: true,
    signal,
  });
  if (stats.finishReason === 'cancelled') throw new AppError('CANCELLED', 'The comparison was stopped.');
  return stats;
}
