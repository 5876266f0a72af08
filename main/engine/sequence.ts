/** The engine's session and what it holds: which tokens it has consumed, and the points it can return to. */
import type {
  NativeCheckpoint,
  NativeFrame,
  NativeGenerateResult,
  NativeSampling,
  NativeSession,
  NativeStep,
  StopFlag,
} from './addon.ts';
import { CheckpointPool, isPrefix } from './checkpointPool.ts';
import type { Prompt } from './engineApi.ts';

export interface SequenceRun {
  readonly prompt: Prompt;
  readonly sampling: NativeSampling;
  readonly maxNewTokens: number;
  readonly stop: StopFlag;
  readonly onFrame: (frame: NativeFrame, reusedTokens: number) => void;
}

interface Start {
  readonly start: 'current' | 'empty' | 'checkpoint';
  readonly checkpoint?: NativeCheckpoint;
  readonly reusedTokens: number;
}

export class Sequence {
  readonly #session: NativeSession;
  readonly #metaTokens: number;
  readonly #pool: CheckpointPool;
  // Consumed by the session, without memory tokens.
  #tokens: Int32Array = new Int32Array(0);

  constructor(session: NativeSession, metaTokens: number, maxCheckpointBytes: number) {
    this.#session = session;
    this.#metaTokens = metaTokens;
    this.#pool = new CheckpointPool(maxCheckpointBytes);
  }

  /** Reads what of the prompt is new, from the best point there is, and writes up to maxNewTokens. */
  async run(run: SequenceRun): Promise<{ readonly result: NativeGenerateResult; readonly reusedTokens: number }> {
    const { tokens, boundaries } = run.prompt;
    const start = await this.#bestStart(tokens);
    const { reusedTokens } = start;
    const left = this.#tokens;
    const result = await this.#generate(
      {
        start: start.start,
        checkpoint: start.checkpoint,
        saveFirst: left.length > 0 && !this.#pool.has(left),
        tokens: tokens.slice(reusedTokens),
        saveAfter: boundaries.filter((count) => count > reusedTokens).map((count) => count - reusedTokens),
      },
      run,
      tokens,
    );
    if (result.before !== null) this.#pool.add(left, result.before);
    for (const { after, checkpoint } of result.saved) this.#pool.add(tokens.slice(0, reusedTokens + after), checkpoint);
    return { result, reusedTokens };
  }

  /** Goes on where the last run was cut. */
  continue(run: SequenceRun, history: Int32Array): Promise<NativeGenerateResult> {
    const more = { start: 'current', saveFirst: false, tokens: new Int32Array(0), saveAfter: [] } as const;
    return this.#generate(more, run, history);
  }

  dispose(): void {
    this.#pool.clear();
    this.#session.dispose();
  }

  /** `history`: what the session will have been given when this ends, the answer apart. */
  async #generate(
    where: {
      readonly start: Start['start'];
      readonly checkpoint?: NativeCheckpoint | undefined;
      readonly saveFirst: boolean;
      readonly tokens: Int32Array;
      readonly saveAfter: readonly number[];
    },
    run: SequenceRun,
    history: Int32Array,
  ): Promise<NativeGenerateResult> {
    const reusedTokens = history.length - where.tokens.length;
    const written: number[] = [];
    try {
      return await this.#session.generate(
        { ...where, sampling: run.sampling, maxNewTokens: run.maxNewTokens, stop: run.stop },
        (frame) => {
          // Before the listener, which may throw.
          written.push(...frame.steps.map(({ token }: NativeStep) => token));
          run.onFrame(frame, reusedTokens);
        },
      );
    } finally {
      this.#tokens = concat(history, written).slice(0, this.#session.position - this.#metaTokens);
    }
  }

  async #bestStart(tokens: Int32Array): Promise<Start> {
    const pooled = this.#pool.longestPrefixOf(tokens);
    const pooledLength = pooled?.tokens.length ?? 0;
    const current = this.#tokens.length;
    if (current > 0 && current >= pooledLength && isPrefix(this.#tokens, tokens)) {
      if (current < tokens.length) return { start: 'current', reusedTokens: current };
      // Nothing is left to read: only a checkpoint makes the session forget a token it sampled but did not consume.
      if (pooled === null || pooledLength < current) {
        const checkpoint = await this.#session.save();
        this.#pool.add(this.#tokens, checkpoint);
        return { start: 'checkpoint', checkpoint, reusedTokens: current };
      }
    }
    if (pooled === null) return { start: 'empty', reusedTokens: 0 };
    return { start: 'checkpoint', checkpoint: pooled.checkpoint, reusedTokens: pooledLength };
  }
}

export function concat(tokens: Int32Array, more: readonly number[]): Int32Array {
  const all = new Int32Array(tokens.length + more.length);
  all.set(tokens);
  all.set(more, tokens.length);
  return all;
}
