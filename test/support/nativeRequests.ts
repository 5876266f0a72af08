/** Requests to the addon with everything at its plainest. */
import type { NativeLoadOptions, NativeSampling } from '../../main/engine/addon.ts';

export const greedy: NativeSampling = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  seed: 0,
  logprobs: 0,
  ignoreEnd: false,
};

export function loadOptions(source: string, rest: Partial<NativeLoadOptions> = {}): NativeLoadOptions {
  return {
    source,
    device: 'cpu',
    deviceIndex: -1,
    threads: 0,
    format: 'bf16',
    contextPositions: 8192,
    cacheDir: '',
    ...rest,
  };
}
