/** Requests to the addon with everything at its plainest. */
import type {
  NativeFrame,
  NativeGenerateRequest,
  NativeLoadOptions,
  NativeSampling,
  NativeSession,
} from '../../main/engine/addon.ts';

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

export function request(rest: Partial<NativeGenerateRequest> = {}): NativeGenerateRequest {
  return {
    ...{ start: 'empty', saveFirst: false, tokens: Int32Array.of(5, 6, 7), saveAfter: [], maxNewTokens: 8 },
    sampling: { ...greedy, ignoreEnd: true },
    ...rest,
  };
}

/** Gathers the frames beside the result. */
export async function generate(session: NativeSession, rest: Partial<NativeGenerateRequest> = {}) {
  const frames: NativeFrame[] = [];
  const result = await session.generate(request(rest), (frame) => frames.push(frame));
  const steps = frames.flatMap((frame) => frame.steps);
  return { result, frames, steps, tokens: steps.map(({ token }) => token) };
}
