/** Prompts for measurements: the same tokens for the same number, on every machine. */
import type { EngineService, Prompt } from '../engine/engineApi.ts';
import { AppError } from '../contract/errors.ts';

/** `variant` makes another prompt of the same length, so that no checkpoint of an earlier one is a prefix of it. */
export function fixedPrompt(engine: EngineService, length: number, variant: number): Prompt {
  const { status } = engine;
  if (status.state !== 'ready') throw new AppError('NO_MODEL', 'No model is loaded. Choose one first.');
  // A linear congruential generator (Numerical Recipes): its upper bits are random enough to defeat any cache.
  let state = (variant * 2_654_435_761 + 1) >>> 0;
  const tokens = Int32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * status.model.vocab);
  });
  return { tokens, boundaries: [] };
}
