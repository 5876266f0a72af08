/** One run of the engine for one request: route, prefill, decode, stop strings, statistics. */
import { randomInt } from 'node:crypto';

import { maxSeed } from '../contract/domain.ts';
import type { FinishReason, GenerationStats, LoadedModel } from '../contract/domain.ts';
import type { Addon, NativeFrame, NativeGenerateResult, NativeSampling, NativeSession, StopFlag } from './addon.ts';
import { Answer } from './answer.ts';
import type { GenerateRequest, GenerateResult, Tokenizer } from './engineApi.ts';
import type { Position, Route } from './position.ts';
import { interTokenNs, percentiles } from './stats.ts';

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
interface Run extends Surroundings {
  readonly request: GenerateRequest;
  readonly route: Route;
  readonly restored: Awaited<ReturnType<Position['prepare']>>;
  /** What the constraint allows first; undefined without one. */
  readonly firstAllowed: Int32Array | null | undefined;
  readonly answer: Answer;
  readonly stop: StopFlag;
  readonly seed: number;
}

function nativeSampling({ request, seed }: Run, allowed?: Int32Array): NativeSampling {
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

function takeFrame({ request, route, answer, stop }: Run, native: NativeFrame): void {
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

/** The usual case: one native request, with batches of tokens on the engine thread. */
function runFreely(run: Run): Promise<NativeGenerateResult> {
  const { session, route, request, stop } = run;
  return session.generate(
    {
      ...route,
      sampling: nativeSampling(run),
      maxNewTokens: request.sampling.maxNewTokens,
      trace: request.trace,
      stop,
    },
    (frame) => takeFrame(run, frame),
  );
}

/** A constraint is asked before each token, so each token is a native request of its own. */
async function runConstrained(run: Run): Promise<NativeGenerateResult> {
  const { session, route, request, stop, answer } = run;
  const onFrame = (frame: NativeFrame) => takeFrame(run, frame);
  let first: NativeGenerateResult | null = null;
  for (;;) {
    const allowed = first === null ? run.firstAllowed : await request.constraint?.allowed();
    const nothingMay = allowed === null;
    // What to read is read even if nothing may be said.
    if (nothingMay && first !== null) return { ...first, finish: 'stop' };
    const part =
      first === null
        ? route
        : { start: 'current' as const, saveFirst: false, tokens: new Int32Array(0), saveAfter: [] };
    const sampling = nativeSampling(run, allowed ?? undefined);
    const before = answer.sampled.length;
    const result: NativeGenerateResult = await session.generate(
      { ...part, sampling, maxNewTokens: nothingMay ? 0 : 1, stop },
      onFrame,
    );
    const { finish, position, finishedNs } = result;
    const begun: NativeGenerateResult = first ?? result;
    first = { ...begun, finish, position, finishedNs };
    if (nothingMay) return { ...first, finish: 'stop' };
    const token = answer.sampled[before];
    if (result.finish !== 'length' || token === undefined || answer.isStopped) return first;
    request.constraint?.accept(token);
    if (answer.tokens.length >= request.sampling.maxNewTokens) return first;
  }
}

function finishReason(answer: Answer, native: NativeGenerateResult): FinishReason {
  return answer.isStopped ? 'stop' : native.finish;
}

function statsOf(
  { answer, model, request, route, restored, seed, submittedNs }: Run,
  native: NativeGenerateResult,
): GenerationStats {
  const { tokens } = answer;
  const firstNs = answer.firstStampNs ?? native.finishedNs;
  return {
    promptTokens: request.prompt.tokens.length,
    reusedTokens: route.reusedTokens,
    ...(restored.restored > 0 && { restoredTokens: Math.min(restored.restored, route.reusedTokens) }),
    ...(restored.why !== null && { notice: restored.why }),
    prefillNs: native.prefilledNs - native.startedNs,
    ttftNs: firstNs - submittedNs,
    queueNs: native.startedNs - submittedNs,
    outputTokens: tokens.length,
    decodeNs: tokens.length > 1 ? (tokens.at(-1)?.stampNs ?? firstNs) - (tokens[0]?.stampNs ?? firstNs) : 0,
    itlNs: percentiles(interTokenNs(tokens)),
    finishReason: finishReason(answer, native),
    seed,
    device: model.device,
    format: model.format,
  };
}

/** Runs the request. What it throws leaves the position unknown, and said so. */
export async function generate(request: GenerateRequest, surroundings: Surroundings): Promise<GenerateResult> {
  const { addon, position, tokenizer, signal } = surroundings;
  const restored = await position.prepare(request.prompt);
  const firstAllowed = await request.constraint?.allowed();
  const run: Run = {
    ...surroundings,
    request,
    restored,
    firstAllowed,
    // Behind everything that waits: the checkpoint it names may be gone when another answer has ended.
    route: position.routeTo(request.prompt),
    answer: new Answer(tokenizer, request),
    stop: new addon.StopFlag(),
    seed: request.sampling.seed ?? randomInt(maxSeed + 1),
  };
  const onAbort = () => run.stop.set();
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const native = await (request.constraint ? runConstrained(run) : runFreely(run));
    position.arrive(request.prompt, run.route, run.answer.sampled, native);
    const last = run.answer.finish();
    if (last !== null) request.onFrame?.(last);
    const { text, tokens } = run.answer;
    return {
      text,
      tokens,
      stats: statsOf(run, native),
      detokeniseNs: run.answer.detokeniseNs,
      ...(native.stageNs !== null && { stageNs: native.stageNs }),
      textTokens: run.answer.tokensOfText(),
    };
  } catch (error) {
    position.lose();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** The outcome of a request that was stopped before its turn came. */
export function cancelledResult(request: GenerateRequest, model: LoadedModel, waitedNs: number): GenerateResult {
  return {
    text: '',
    tokens: [],
    textTokens: new Int32Array(0),
    stats: {
      promptTokens: request.prompt.tokens.length,
      reusedTokens: 0,
      prefillNs: 0,
      ttftNs: waitedNs,
      queueNs: waitedNs,
      outputTokens: 0,
      decodeNs: 0,
      itlNs: null,
      finishReason: 'cancelled',
      seed: request.sampling.seed ?? 0,
      device: model.device,
      format: model.format,
    },
  };
}
