/** Runs a benchmark's plan on the loaded model, by way of the same service that answers chats. Engine stamps only. */
import { defaultSampling } from '../contract/domain.ts';
import type { LoadedModel } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { Benchmark, BenchmarkPlan, BenchmarkProgress, BenchmarkRow } from '../contract/benchmark.ts';
import type { EngineService, GenerateResult } from '../engine/engineApi.ts';
import { fixedPrompt } from './fixedPrompt.ts';
import { HdrHistogram } from './hdrHistogram.ts';
import { spreadOf } from './statistics.ts';

/** Before the first token that counts. */
const shortPrompt = 16;
const warmUpTokens = 16;

export interface BenchmarkRun {
  readonly engine: EngineService;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BenchmarkProgress) => void;
}

interface Step {
  readonly kind: BenchmarkRow['kind'];
  readonly size: number;
  /** Positions that one sequence needs. */
  readonly positions: number;
  readonly what: string;
}

function stepsOf(plan: BenchmarkPlan): readonly Step[] {
  const { decodeTokens, prefillTokens, sequences, sequenceTokens } = plan;
  const decode: Step = {
    kind: 'decode',
    size: decodeTokens,
    positions: shortPrompt + decodeTokens,
    what: `decode ${decodeTokens} tokens`,
  };
  return [
    ...prefillTokens.map((size): Step => ({ kind: 'prefill', size, positions: size + 1, what: `read ${size} tokens` })),
    ...sequences.map((size): Step => ({
      kind: 'sequences',
      size,
      positions: shortPrompt + sequenceTokens,
      what: `${size} sequences at once`,
    })),
    ...(decodeTokens > 0 ? [decode] : []),
  ];
}

class Runner {
  readonly #run: BenchmarkRun;
  readonly #plan: BenchmarkPlan;
  // Every prompt is another one, so that none is answered from a checkpoint.
  #variant = 0;

  constructor(run: BenchmarkRun, plan: BenchmarkPlan) {
    this.#run = run;
    this.#plan = plan;
  }

  async generate(promptTokens: number, maxNewTokens: number): Promise<GenerateResult> {
    const { engine, signal } = this.#run;
    this.#variant += 1;
    const result = await engine.generate({
      prompt: fixedPrompt(engine, promptTokens, this.#variant),
      sampling: { ...defaultSampling, temperature: 0, seed: 0, maxNewTokens },
      ignoreEnd: true,
      isMeasurement: true,
      signal,
    });
    if (result.stats.finishReason === 'cancelled') throw new AppError('CANCELLED', 'The benchmark was stopped.');
    return result;
  }

  async measure({ kind, size }: Step, gaps: HdrHistogram): Promise<{ seconds: number; tokens: number }> {
    switch (kind) {
      case 'prefill': {
        const { stats } = await this.generate(size, 1);
        return { seconds: stats.prefillNs / 1e9, tokens: stats.promptTokens - stats.reusedTokens };
      }
      case 'decode': {
        const { stats, tokens } = await this.generate(shortPrompt, size);
        recordGaps(tokens, gaps);
        return { seconds: stats.decodeNs / 1e9, tokens: stats.outputTokens - 1 };
      }
      case 'sequences': {
        const answers = await Promise.all(
          Array.from({ length: size }, () => this.generate(shortPrompt, this.#plan.sequenceTokens)),
        );
        for (const { tokens } of answers) recordGaps(tokens, gaps);
        const stamps = answers.flatMap(({ tokens }) => [tokens[0]?.stampNs ?? 0, tokens.at(-1)?.stampNs ?? 0]);
        const count = answers.reduce((sum, { tokens }) => sum + tokens.length, 0);
        return { seconds: (Math.max(...stamps) - Math.min(...stamps)) / 1e9, tokens: count - size };
      }
    }
  }
}

function recordGaps(tokens: GenerateResult['tokens'], gaps: HdrHistogram): void {
  for (let i = 1; i < tokens.length; i += 1) gaps.record((tokens[i]?.stampNs ?? 0) - (tokens[i - 1]?.stampNs ?? 0));
}

/**
 * Warm-up first, then each step as often as the plan says. Steps that the context is too short for are left out, and
 * named. Throws CANCELLED, NO_MODEL, and what generating throws.
 */
export async function runBenchmark(
  plan: BenchmarkPlan,
  run: BenchmarkRun,
): Promise<Pick<Benchmark, 'rows' | 'leftOut'>> {
  const { status } = run.engine;
  if (status.state !== 'ready') throw new AppError('NO_MODEL', 'Load a model before the benchmark.');
  const room = roomOf(status.model);
  const steps = stepsOf(plan);
  const fitting = steps.filter(({ positions }) => positions <= room);
  const leftOut = steps
    .filter(({ positions }) => positions > room)
    .map(({ what, positions }) => `${what}: needs a context of ${positions + status.model.metaTokens} positions`);
  const total = fitting.length * plan.repetitions;
  const runner = new Runner(run, plan);
  run.onProgress({ what: 'warm-up', done: 0, total });
  await runner.generate(shortPrompt, Math.min(warmUpTokens, room - shortPrompt));
  const rows: BenchmarkRow[] = [];
  let done = 0;
  for (const step of fitting) {
    const gaps = new HdrHistogram();
    const measured: { seconds: number; tokens: number }[] = [];
    for (let repetition = 0; repetition < plan.repetitions; repetition += 1) {
      run.onProgress({ what: step.what, done, total });
      measured.push(await runner.measure(step, gaps));
      done += 1;
    }
    rows.push({
      kind: step.kind,
      size: step.size,
      seconds: spreadOf(measured.map(({ seconds }) => seconds)),
      tokensPerSecond: spreadOf(measured.map(({ seconds, tokens }) => (seconds > 0 ? tokens / seconds : 0))),
      itlNs: gaps.percentiles(),
    });
  }
  run.onProgress({ what: 'done', done: total, total });
  return { rows, leftOut };
}

const roomOf = (model: LoadedModel): number => model.contextPositions - model.metaTokens;
