/** Where the session stands, token by token, and how to get from there to a prompt by reading as little as possible. */
import type { NativeCheckpoint, NativeGenerateResult, NativeSession } from './addon.ts';
import { isPrefix } from './checkpointPool.ts';
import type { CheckpointPool } from './checkpointPool.ts';
import type { Prompt } from './engineApi.ts';

/** The first part of a native request: where to start, what to read, what to keep. */
export interface Route {
  readonly start: 'current' | 'empty' | 'checkpoint';
  readonly checkpoint?: NativeCheckpoint;
  readonly saveFirst: boolean;
  readonly reusedTokens: number;
  /** The rest of the prompt. */
  readonly tokens: Int32Array;
  /** Counts of `tokens`. */
  readonly saveAfter: readonly number[];
}

// A checkpoint costs a copy of the state, so a long history gets few: where an edit or another answer is likely.
const maxBoundariesKept = 3;
const minTokensApart = 32;

/** Boundaries of the unread part that are worth a checkpoint, the prompt's end among them unless it is a draft's. */
function boundariesToSave(prompt: Prompt, reused: number): readonly number[] {
  const kept = prompt.isDraft ? [] : [prompt.tokens.length];
  for (const boundary of prompt.boundaries.toReversed()) {
    if (kept.length > maxBoundariesKept || boundary <= reused) break;
    const next = kept[0] ?? prompt.tokens.length;
    const isFarEnough = next - boundary >= minTokensApart || kept.length <= 1;
    if (boundary < next && isFarEnough) kept.unshift(boundary);
  }
  return kept.filter((count) => count > reused).map((count) => count - reused);
}

export class Position {
  readonly #pool: CheckpointPool;
  readonly #metaTokens: number;
  /** What the session has consumed, without memory tokens; null when nobody knows. */
  #consumed: Int32Array | null = new Int32Array(0);

  constructor(pool: CheckpointPool, metaTokens: number) {
    this.#pool = pool;
    this.#metaTokens = metaTokens;
  }

  /** Before routeTo(): brings back from the disk what spares reading. See CheckpointPool.fetch(). */
  prepare(prompt: Prompt): ReturnType<CheckpointPool['fetch']> {
    const here = this.#consumed;
    return this.#pool.fetch(prompt.tokens, here !== null && isPrefix(here, prompt.tokens) ? here.length : 0);
  }

  /** Before the session goes: keeps where it stands, for another time. */
  async settle(session: NativeSession): Promise<void> {
    const here = this.#consumed;
    if (here !== null && here.length > 0 && !this.#pool.has(here)) this.#pool.add(here, await session.save());
  }

  /** How well this place serves a prompt: tokens that need not be read again; 0 for an empty one, -1 to leave it. */
  worthFor(prompt: Prompt): number {
    const here = this.#consumed;
    return here === null ? 0 : this.#leadsTo(prompt) ? here.length : -1;
  }

  routeTo(prompt: Prompt): Route {
    const here = this.#consumed;
    const kept = this.#pool.longestPrefixOf(prompt.tokens);
    const goesOn = here !== null && this.#leadsTo(prompt) && here.length >= (kept?.tokens.length ?? 0);
    const reusedTokens = goesOn ? here.length : (kept?.tokens.length ?? 0);
    return {
      ...(goesOn
        ? { start: 'current' }
        : kept
          ? { start: 'checkpoint', checkpoint: kept.checkpoint }
          : { start: 'empty' }),
      saveFirst: !goesOn && here !== null && here.length > 0 && !this.#pool.has(here),
      reusedTokens,
      tokens: prompt.tokens.slice(reusedTokens),
      saveAfter: boundariesToSave(prompt, reusedTokens),
    };
  }

  /** Keeps what the run saved, and notes where it ended. `generated`: every token it sampled, wanted or not. */
  arrive(prompt: Prompt, route: Route, generated: readonly number[], result: NativeGenerateResult): void {
    const left = this.#consumed;
    if (result.before !== null && left !== null) this.#pool.add(left, result.before);
    for (const { after, checkpoint } of result.saved) {
      this.#pool.add(prompt.tokens.slice(0, route.reusedTokens + after), checkpoint);
    }
    this.#consumed = Int32Array.from([...prompt.tokens, ...generated]).slice(0, result.position - this.#metaTokens);
  }

  /** Without a token to read there would be no logits to sample from: then only a checkpoint will do. */
  #leadsTo({ tokens }: Prompt): boolean {
    const here = this.#consumed;
    return here !== null && here.length < tokens.length && isPrefix(here, tokens);
  }

  /** After a failure: the next run starts from a checkpoint or from the beginning. */
  lose(): void {
    this.#consumed = null;
  }
}
