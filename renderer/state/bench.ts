/** Benchmarks and comparisons: they run in main, go on when the page shows something else, and are kept there. */
import { create } from 'zustand';

import type { ErrorInfo } from '../../main/contract/errors.ts';
import type { Request } from '../../main/contract/ipc.ts';
import type { Benchmark, BenchmarkPlanName, BenchmarkProgress, Comparison } from '../../main/contract/benchmark.ts';
import { request } from '../bridge.ts';
import { errorInfo } from './errors.ts';

export interface BenchState {
  readonly running: 'plan' | 'comparison' | null;
  readonly progress: BenchmarkProgress | null;
  /** Why the last one ended without a result; a stop is no error. */
  readonly error: ErrorInfo | null;
  /** Newest first; null: not asked for yet. */
  readonly kept: readonly Benchmark[] | null;
  readonly comparison: Comparison | null;
}

export const useBench = create<BenchState>()(() => ({
  running: null,
  progress: null,
  error: null,
  kept: null,
  comparison: null,
}));

export const setBenchProgress = (progress: BenchmarkProgress): void => useBench.setState({ progress });

function fail(thrown: unknown): void {
  const error = errorInfo(thrown);
  useBench.setState({ error: error.code === 'CANCELLED' ? null : error });
}

export async function loadBenchmarks(): Promise<void> {
  await request('bench.list', {}).then((kept) => useBench.setState({ kept }), fail);
}

async function run(kind: 'plan' | 'comparison', work: () => Promise<void>): Promise<void> {
  useBench.setState({ running: kind, progress: null, error: null });
  await work()
    .catch(fail)
    .finally(() => useBench.setState({ running: null, progress: null }));
}

export const runBenchmark = (plan: BenchmarkPlanName): Promise<void> =>
  run('plan', async () => {
    await request('bench.run', { plan });
    await loadBenchmarks();
  });

export const runComparison = (input: Request<'bench.compare'>): Promise<void> =>
  run('comparison', async () => {
    useBench.setState({ comparison: null });
    useBench.setState({ comparison: await request('bench.compare', input) });
  });

export async function stopBenchmark(): Promise<void> {
  await request('bench.cancel', {}).catch(fail);
}

export async function removeBenchmark(id: number): Promise<void> {
  await request('bench.remove', { id }).then(loadBenchmarks, fail);
}
