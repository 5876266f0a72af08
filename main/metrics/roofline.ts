/** What a decode step must move and reading must compute, and what this device can. */
import type { Roofline } from '../contract/metrics.ts';
import type { EngineService } from '../engine/engineApi.ts';

/** Throws NO_MODEL. Measures the device at the first call after a load, which takes about a second. */
export async function rooflineAt(engine: EngineService, contextPositions: number): Promise<Roofline> {
  const stages = engine.stages(contextPositions);
  return {
    contextPositions,
    stages,
    bytesPerToken: stages.reduce((sum, stage) => sum + stage.weightBytes + stage.stateBytes, 0),
    flopsPerPromptToken: stages.reduce((sum, { stageClass, flops }) => sum + (stageClass === 'head' ? 0 : flops), 0),
    limits: await engine.limits(),
  };
}
