import { describe, expect, it } from 'vitest';

import { verdictText } from '../../../main/contract/benchmark.ts';
import type { BenchmarkPlan, BenchmarkProgress } from '../../../main/contract/benchmark.ts';
import { runBenchmark } from '../../../main/metrics/benchmark.ts';
import { compareRuns, runComparison } from '../../../main/metrics/comparison.ts';
import { meanInterval, median } from '../../../main/metrics/statistics.ts';
import { randomOf } from '../../support/random.ts';
import { scriptedEngine } from '../../support/scriptedEngine.ts';

const plan: BenchmarkPlan = {
  ...{ decodeTokens: 20, prefillTokens: [32, 4096], sequences: [1, 3], sequenceTokens: 8, repetitions: 2 },
};

describe('benchmark', () => {
  it('runs warm-up and every step as often as planned, with prompts that no checkpoint answers', async () => {
    const engine = scriptedEngine('x'.repeat(64));
    const progress: BenchmarkProgress[] = [];
    const signal = new AbortController().signal;
    const { rows, leftOut } = await runBenchmark(plan, { engine, signal, onProgress: (step) => progress.push(step) });
    // Tokens of the scripted engine come a millisecond apart.
    expect(rows.map(({ kind, size }) => [kind, size])).toEqual([
      ...[
        ['prefill', 32],
        ['sequences', 1],
        ['sequences', 3],
        ['decode', 20],
      ],
    ]);
    const decode = rows.at(-1)!;
    expect(decode.tokensPerSecond).toEqual({ median: 1000, low: 1000, high: 1000 });
    expect(decode.itlNs!.max).toBe(1e6);
    expect(rows[0]!.itlNs).toBeNull();
    // The context of the scripted model has 1024 positions.
    expect(leftOut).toEqual(['read 4096 tokens: needs a context of 4105 positions']);
    expect(engine.requests).toHaveLength(1 + 2 * (1 + 1 + 3 + 1));
    expect(engine.requests.every(({ isMeasurement, ignoreEnd }) => isMeasurement && ignoreEnd)).toBe(true);
    const prompts = engine.requests.map(({ prompt }) => prompt.tokens.slice(0, 8).join());
    expect(new Set(prompts).size).toBe(prompts.length);
    expect(progress.at(-1)).toEqual({ what: 'done', done: 8, total: 8 });
  });

  it('stops when asked', async () => {
    const engine = scriptedEngine('x'.repeat(64));
    const abort = new AbortController();
    const onProgress = ({ done }: BenchmarkProgress): void => {
      if (done === 3) abort.abort();
    };
    await expect(runBenchmark(plan, { engine, signal: abort.signal, onProgress })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
  });
});

describe('comparison', () => {
  it('loads and runs first, second, second, first', async () => {
    const engine = scriptedEngine('x'.repeat(64));
    const loads: unknown[] = [];
    const load = engine.load;
    engine.load = (request) => {
      loads.push(request.format);
      return load(request);
    };
    const result = await runComparison({
      ...{ engine, base: { source: 's', format: 'bf16' }, first: {}, second: { format: 'int8' }, rounds: 2, tokens: 8 },
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
    expect(loads).toEqual(['bf16', 'int8', 'bf16', 'int8', 'bf16']);
    expect(result.firstNs).toHaveLength(4);
    expect(result.secondNs).toHaveLength(4);
  });

  it('times reading ahead from Enter to the first token, and loads once', async () => {
    const engine = scriptedEngine('x'.repeat(64));
    const lengths: number[] = [];
    let loads = 0;
    engine.load = ((load) => (request) => ((loads += 1), load(request)))(engine.load);
    engine.generate = ((generate) => async (request) => {
      const result = await generate(request);
      lengths.push(request.prompt.tokens.length);
      const reusedTokens = request.sampling.maxNewTokens === 1 ? 256 : 0;
      return { ...result, stats: { ...result.stats, reusedTokens, ttftNs: 7e6 } };
    })(engine.generate);
    const base = { source: 's', format: 'bf16' } as const;
    const sides = { first: { readsAhead: false }, second: { readsAhead: true } };
    const run = { engine, base, ...sides, rounds: 2, tokens: 8, signal: new AbortController().signal };
    const { firstNs, secondNs } = await runComparison({ ...run, onProgress: () => undefined });
    expect(loads).toBe(1);
    expect([...firstNs, ...secondNs]).toEqual(new Array(8).fill(7e6));
    expect(lengths.slice(0, 5)).toEqual([32, 256, 32, 256, 256]);
  });

  /** Runs with a drift over time and noise; the second takes `share` of the first's time. */
  function noisy(share: number, rounds: number, noise: number, seed: number) {
    const { below } = randomOf(seed);
    const runs = { first: [] as number[], second: [] as number[] };
    for (let index = 0; index < 4 * rounds; index += 1) {
      const isSecond = index % 4 === 1 || index % 4 === 2;
      const jitter = 1 + noise * (below(2001) / 1000 - 1);
      (isSecond ? runs.second : runs.first).push(3e6 * (isSecond ? share : 1) * (1 + 0.002 * index) * jitter);
    }
    return compareRuns(runs.first, runs.second);
  }

  it('finds a difference through noise and drift, and says how sure it is', () => {
    const found = noisy(0.9, 8, 0.02, 5);
    expect(found.verdict).toBe('faster');
    expect(found.low).toBeLessThan(found.ratio);
    expect(found.high).toBeGreaterThan(found.ratio);
    expect(found.ratio).toBeCloseTo(0.9, 1);
    expect(noisy(1.2, 8, 0.02, 5).verdict).toBe('slower');
  });

  it('calls equal settings different in about one of twenty comparisons, not more', () => {
    const verdicts = Array.from({ length: 200 }, (_, seed) => noisy(1, 6, 0.02, seed).verdict);
    expect(verdicts.filter((verdict) => verdict !== 'not distinguishable').length).toBeLessThan(24);
  });

  it('says it in words', () => {
    const faster = { verdict: 'faster', ratio: 0.8, low: 0.75, high: 0.9 } as const;
    expect(verdictText(faster)).toBe('faster by 25.0 % (95 % interval 11.1 to 33.3 %)');
    const slower = { verdict: 'slower', ratio: 1.25, low: 1.2, high: 1.3 } as const;
    expect(verdictText(slower)).toBe('slower by 20.0 % (95 % interval 16.7 to 23.1 %)');
    expect(verdictText({ verdict: 'not distinguishable', ratio: 1, low: 0.9, high: 1.1 })).toBe('not distinguishable');
  });
});

describe('statistics', () => {
  it('gives the middle, or the mean of the two middles', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('gives the t-interval of the textbooks', () => {
    // n = 5, mean 10, s = 1.5811, t = 2.776.
    const { centre, low, high } = meanInterval([8, 9, 10, 11, 12]);
    expect(centre).toBe(10);
    expect(low).toBeCloseTo(8.037, 3);
    expect(high).toBeCloseTo(11.963, 3);
    expect(meanInterval([3])).toEqual({ centre: 3, low: -Infinity, high: Infinity });
  });
});
