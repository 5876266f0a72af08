/** Runs one request: route, prefill, decode, stop strings, statistics. */
import { randomInt } from 'node:crypto';

import { maxSeed } from '../contract/domain.ts';
import type { FinishReason, GenerationStats, LoadedModel } from '../contract/domain.ts';
import type { NativeGenerateResult } from './addon.ts';
import { Answer } from './answer.ts';
import { runConstrained } from './constrainedRun.ts';
import type { GenerateRequest, GenerateResult } from './engineApi.ts';
import { nativeSampling, takeFrame } from './run.ts';
import type { Run, Surroundings } from './run.ts';
import { interTokenNs, percentiles } from './stats.ts';

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
  const firstAllowed = (await request.constraint?.next([], 0))?.allowed;
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
    const native = await (request.constraint ? runConstrained(run, request.constraint) : runFreely(run));
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
