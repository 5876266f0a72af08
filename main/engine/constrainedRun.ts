/** A run under a constraint, as a grammar is one: it is asked before each token, so each is a native request of its own. */
import type { NativeFrame, NativeGenerateResult } from './addon.ts';
import type { TokenConstraint } from './engineApi.ts';
import { nativeSampling, takeFrame } from './run.ts';
import type { Run } from './run.ts';

/** Why the answer is over; null: it goes on. */
function endOf({ answer, request }: Run, last: NativeGenerateResult, allowed: Int32Array | null) {
  if (allowed === null) return 'stop';
  if (last.finish !== 'length') return last.finish;
  if (answer.isStopped || answer.tokens.length >= request.sampling.maxNewTokens) return 'length';
  return null;
}

/**
 * How many tokens may come unasked: at least one is still sampled, and has room. None where each token has to be scored,
 * or counts for those that follow: what is read in one go is neither.
 */
function roomForForced({ answer, request, model }: Run): number {
  const { repetitionPenalty, frequencyPenalty, presencePenalty, maxNewTokens } = request.sampling;
  if (repetitionPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0) return 0;
  if (request.logprobs !== undefined && request.logprobs > 0) return 0;
  const positions = model.contextPositions - model.metaTokens - request.prompt.tokens.length - answer.sampled.length;
  return Math.max(0, Math.min(maxNewTokens - answer.tokens.length, positions) - 1);
}

/** Says tokens that did not have to be sampled; the engine reads them with the next request, all at once. */
function sayForced({ addon, answer, request }: Run, forced: readonly number[]): void {
  const stampNs = addon.nowNs();
  const known = { logprob: 0, top: [], stampNs, forwardNs: 0, sampleNs: 0, isEnd: false };
  const frame = answer.push(forced.map((token) => ({ token, ...known })));
  if (frame !== null) request.onFrame?.(frame);
}

export async function runConstrained(run: Run, constraint: TokenConstraint): Promise<NativeGenerateResult> {
  const { session, route, stop, answer } = run;
  let allowed = run.firstAllowed ?? null;
  const options = () => ({
    sampling: nativeSampling(run, allowed ?? undefined),
    maxNewTokens: allowed === null ? 0 : 1,
    continues: true,
    stop,
  });
  // What to read is read even if nothing may be said.
  const first = await session.generate({ ...route, ...options() }, (frame) => takeFrame(run, frame));
  let last = first;
  const onFrame = (frame: NativeFrame) => takeFrame(run, { ...frame, prefilledTokens: 0 });
  for (;;) {
    const finish = endOf(run, last, allowed);
    const token = answer.sampled.at(-1);
    if (finish !== null || token === undefined) {
      return { ...first, finish: finish ?? last.finish, position: last.position, finishedNs: last.finishedNs };
    }
    const next = await constraint.next([token], roomForForced(run));
    allowed = next.allowed;
    if (next.forced.length > 0) sayForced(run, next.forced);
    if (allowed === null || answer.isStopped) continue;
    // Reading forgets the token that was sampled last, so it is read along.
    const tokens = Int32Array.from(next.forced.length > 0 ? [token, ...next.forced] : []);
    last = await session.generate({ start: 'current', saveFirst: false, saveAfter: [], tokens, ...options() }, onFrame);
  }
}
