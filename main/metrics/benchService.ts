/** Benchmarks and comparisons: one at a time, kept, listed, removed. */
import type { LoadRequest } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { ParsedRequest } from '../contract/ipc.ts';
import { benchmarkPlans, comparedBy } from '../contract/benchmark.ts';
import type { Benchmark, BenchmarkProgress, Comparison } from '../contract/benchmark.ts';
import type { Environment } from '../contract/metrics.ts';
import type { EngineService } from '../engine/engineApi.ts';
import { runBenchmark } from './benchmark.ts';
import type { BenchmarkStore } from './benchmarkStore.ts';
import { compareRuns, runComparison } from './comparison.ts';

export interface BenchServiceOptions {
  readonly engine: EngineService;
  readonly store: BenchmarkStore;
  /** Of a loaded model; waits until it is known. */
  readonly environment: () => Promise<Environment>;
  readonly onProgress: (progress: BenchmarkProgress) => void;
  readonly now?: () => number;
}

export class BenchService {
  readonly #options: BenchServiceOptions;
  readonly #now: () => number;
  #running: AbortController | null = null;

  constructor(options: BenchServiceOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Ends when the benchmark has ended. Throws BUSY, NO_MODEL, CANCELLED. */
  run({ plan }: ParsedRequest<'bench.run'>): Promise<Benchmark> {
    return this.#alone(async (signal) => {
      const { engine, store, environment, onProgress } = this.#options;
      const made = await environment();
      const result = await runBenchmark(benchmarkPlans[plan], { engine, signal, onProgress });
      return store.add({ at: this.#now(), environment: made, plan: benchmarkPlans[plan], ...result });
    });
  }

  /** Ends when the comparison has ended. Throws BUSY, NO_MODEL, CANCELLED, and what loading a variant throws. */
  compare(input: ParsedRequest<'bench.compare'>): Promise<Comparison> {
    return this.#alone(async (signal) => {
      const { engine, environment, onProgress } = this.#options;
      const base = this.#baseRequest();
      const environments: Environment[] = [];
      const { firstNs, secondNs } = await runComparison({
        ...{ engine, base, signal, onProgress },
        ...input,
        onLoaded: async () => void environments.push(await environment()),
      });
      const [first, second] = environments;
      if (first === undefined || second === undefined) throw new AppError('INTERNAL', 'The comparison loaded nothing.');
      const variants = [input.first, input.second] as const;
      const about = { first, second, variants, comparedBy: comparedBy(...variants) };
      return { ...about, firstNs, secondNs, ...compareRuns(firstNs, secondNs) };
    });
  }

  cancel(): null {
    this.#running?.abort();
    return null;
  }

  /** Newest first. */
  list(): readonly Benchmark[] {
    return this.#options.store.list();
  }

  remove({ id }: ParsedRequest<'bench.remove'>): null {
    this.#options.store.remove(id);
    return null;
  }

  dispose(): void {
    this.#running?.abort();
  }

  /** What is loaded now, to be loaded again with something changed. */
  #baseRequest(): LoadRequest {
    const { status } = this.#options.engine;
    if (status.state !== 'ready') throw new AppError('NO_MODEL', 'Load a model before the comparison.');
    const { source, device, deviceIndex, format, contextPositions, threads } = status.model;
    return { source, device, deviceIndex, format, contextPositions, threads: threads > 0 ? threads : undefined };
  }

  async #alone<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#running !== null) {
      throw new AppError('BUSY', 'A benchmark is running. Wait for its end, or stop it.', { retryable: true });
    }
    const abort = new AbortController();
    this.#running = abort;
    try {
      return await work(abort.signal);
    } finally {
      this.#running = null;
    }
  }
}
