/** One request on its way through the engine, and what every part of a run does with it. */
import type { LoadedModel } from '../contract/domain.ts';
import type { Addon, NativeFrame, NativeSampling, NativeSession, StopFlag } from './addon.ts';
import type { Answer } from './answer.ts';
import type { GenerateRequest, Tokenizer } from './engineApi.ts';
import type { Position, Route } from './position.ts';

export interface Surroundings {
  readonly addon: Addon;
  readonly session: NativeSession;
  readonly model: LoadedModel;
  readonly tokenizer: Tokenizer;
  readonly position: Position;
  readonly signal: AbortSignal;
  /** Of the engine's clock. */
  readonly submittedNs: number;
}

/** What is the same for every native request of a run. */
export interface Run extends Surroundings {
  readonly request: GenerateRequest;
  readonly route: Route;
  readonly restored: Awaited<ReturnType<Position['prepare']>>;
  /** What the constraint allows first; undefined without one. */
  readonly firstAllowed: Int32Array | null | undefined;
  readonly answer: Answer;
  readonly stop: StopFlag;
  readonly seed: number;
}

export function nativeSampling({ request, seed }: Run, allowed?: Int32Array): NativeSampling {
  const { temperature, topK, topP, minP, repetitionPenalty, frequencyPenalty, presencePenalty } = request.sampling;
  return {
    temperature,
    topK,
    topP,
    minP,
    repetitionPenalty,
    frequencyPenalty,
    presencePenalty,
    seed,
    logprobs: request.logprobs ?? 0,
    ignoreEnd: request.ignoreEnd ?? false,
    logitBias: request.logitBias,
    allowed,
  };
}

export function takeFrame({ request, route, answer, stop }: Run, native: NativeFrame): void {
  if (native.prefilledTokens > 0 && native.steps.length === 0) {
    request.onPrefill?.({
      doneTokens: native.prefilledTokens,
      totalTokens: route.tokens.length,
      reusedTokens: route.reusedTokens,
      elapsedNs: native.elapsedNs,
    });
  }
  const frame = answer.push(native.steps);
  if (answer.isStopped) stop.set();
  if (frame !== null) request.onFrame?.(frame);
}
