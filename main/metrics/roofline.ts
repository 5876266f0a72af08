/** What a decode step must move, and how fast this device moves bytes. */
import type { Roofline } from '../contract/metrics.ts';
import type { EngineService } from '../engine/engineApi.ts';

/** Throws NO_MODEL. Measures the bandwidth at the first call for a device, which takes about half a second. */
export async function rooflineAt(engine: EngineService, contextPositions: number): Promise<Roofline> {
  const stages = engine.stages(contextPositions);
  return {
    contextPositions,
    stages,
    bytesPerToken: stages.reduce((sum, stage) => sum + stage.weightBytes + stage.stateBytes, 0),
    bytesPerSecond: await engine.weightBandwidth(),
  };
}
