/** One answer under the microscope: every stage timed, beside the same answer left alone. */
import { defaultSampling } from '../contract/domain.ts';
import type { SamplingOptions } from '../contract/domain.ts';
import type { Microscope } from '../contract/metrics.ts';
import type { EngineService, GenerateResult } from '../engine/engineApi.ts';
import { fixedPrompt } from './fixedPrompt.ts';

const promptTokens = 64;

/** Throws NO_MODEL, BUSY, and what generating throws. */
export async function lookClosely(engine: EngineService, maxNewTokens: number): Promise<Microscope> {
  const sampling: SamplingOptions = { ...defaultSampling, temperature: 0, seed: 0, maxNewTokens };
  const run = (trace: boolean): Promise<GenerateResult> =>
    engine.generate({
      prompt: fixedPrompt(engine, promptTokens, 0),
      sampling,
      ignoreEnd: true,
      isMeasurement: true,
      trace,
    });
  const plain = await run(false);
  const traced = await run(true);
  const contextPositions = promptTokens + maxNewTokens / 2;
  const stages = engine.stages(Math.round(contextPositions));
  return {
    tokens: traced.tokens.length,
    stages: stages.map((stage, index) => ({ ...stage, ns: traced.stageNs?.[index] ?? 0 })),
    plainItlNs: plain.stats.itlNs?.p50 ?? null,
    tracedItlNs: traced.stats.itlNs?.p50 ?? null,
  };
}
