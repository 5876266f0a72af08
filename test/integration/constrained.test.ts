/** Answers that a constraint holds: token by token, with tokens that are certain, and when the engine fails under it. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { EngineService, TokenConstraint } from '../../main/engine/engineApi.ts';
import { createEngineService } from '../../main/engine/engineService.ts';
import { ask, assistant, user } from '../support/asking.ts';

let engine: EngineService;
beforeAll(() => {
  engine = createEngineService();
});
afterEach(() => engine.unload());
afterAll(() => engine.dispose());

/** Takes the tokens one after another, forcing as many as `forced` says after each that was taken. */
function path(
  tokens: readonly number[],
  forced: readonly number[] = [],
): TokenConstraint & { readonly taken: number[] } {
  const taken: number[] = [];
  return {
    taken,
    async next(more, maxForced) {
      taken.push(...more);
      const ahead = tokens.slice(taken.length, taken.length + Math.min(maxForced, forced[taken.length] ?? 0));
      taken.push(...ahead);
      const next = tokens[taken.length];
      if (next === undefined) return { forced: ahead, allowed: null };
      const allowed = new Int32Array(16);
      allowed[next >> 5] = 1 << (next & 31);
      return { forced: ahead, allowed };
    },
    dispose: () => undefined,
  };
}
const letters = [64, 65, 66, 67, 68, 69, 70];
const ids = (tokens: readonly { readonly token: number }[]) => tokens.map(({ token }) => token);

describe('a constrained answer', () => {
  it('takes what is allowed, one token at a time, and ends when nothing is', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const constraint = path(letters);
    const { tokens, stats } = await ask(engine, [user('Hi')], {}, { constraint });
    expect(ids(tokens)).toEqual(letters);
    expect(constraint.taken).toEqual(letters);
    expect(stats.finishReason).toBe('stop');
  });

  it('says tokens that are certain without asking the model for them, in order and as text', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const constraint = path(letters, [0, 3, 0, 0, 0, 1]);
    const { tokens, text, streamed, stats } = await ask(engine, [user('Hi')], {}, { constraint });
    expect(ids(tokens)).toEqual(letters);
    expect(tokens.map(({ sampleNs }) => sampleNs > 0)).toEqual([true, false, false, false, true, false, true]);
    expect(streamed).toBe(text);
    const stamps = tokens.map(({ stampNs }) => stampNs);
    expect(stamps).toEqual(stamps.toSorted((a, b) => a - b));
    expect(stats.outputTokens).toBe(letters.length);
  });

  it('knows where it stands behind tokens that were certain: what follows reads only what is new', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const first = await ask(engine, [user('Hi')], {}, { constraint: path(letters, [0, 5]) });
    const next = await ask(engine, [user('Hi'), assistant(first.text), user('And?')]);
    // All of the prompt and of the answer but its last token, which was never read.
    expect(next.stats.reusedTokens).toBe(first.prompt.tokens.length + letters.length - 1);
    const afresh = await ask(engine, [user('Hi'), assistant(first.text), user('And?')], {}, { isMeasurement: true });
    expect(next.text).toBe(afresh.text);
  });

  it('forces nothing past max_new_tokens, nor where every token has to be scored', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const short = await ask(engine, [user('Hi')], { maxNewTokens: 3 }, { constraint: path(letters, [0, 6]) });
    expect(ids(short.tokens)).toEqual(letters.slice(0, 3));
    expect(short.stats.finishReason).toBe('length');
    const options = { constraint: path(letters, [0, 6]), logprobs: 1 };
    const scored = await ask(engine, [user('Hi')], {}, options);
    expect(scored.tokens.every(({ top }) => top.length === 1)).toBe(true);
  });

  it('is the same alone and in company, held or free', async () => {
    await engine.load({ source: 'synthetic:tiny', contextPositions: 512 });
    /** Every other token, and now and then two that are certain. */
    const everyOther = (): TokenConstraint => {
      let calls = 0;
      return {
        next: async (_, maxForced) => ({
          forced: (calls += 1) % 5 === 0 ? [70, 71].slice(0, maxForced) : [],
          allowed: new Int32Array(16).fill(0x55555550),
        }),
        dispose: () => undefined,
      };
    };
    const held = () => ask(engine, [user('Held')], { temperature: 0 }, { constraint: everyOther() });
    const free = (name: string) => ask(engine, [user(name)], { maxNewTokens: 60 }, { ignoreEnd: true });
    const alone = { held: ids((await held()).tokens), free: ids((await free('a')).tokens) };
    expect(alone.held.length).toBeGreaterThan(10);
    const [one, , two, other] = await Promise.all([held(), free('b'), held(), free('a')]);
    expect([ids(one.tokens), ids(two.tokens)]).toEqual([alone.held, alone.held]);
    expect(ids(other.tokens)).toEqual(alone.free);
  });

  it('that the engine cannot go on with is an error, and the next answer is as good as before', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const before = await ask(engine, [user('Hi')]);
    const constraint = path(letters);
    const failing = {
      ...constraint,
      next: async (more: readonly number[], maxForced: number) =>
        constraint.taken.length < 2 ? constraint.next(more, maxForced) : { forced: [], allowed: new Int32Array(16) }, // forbids every token: the engine fails while it samples
    };
    await expect(ask(engine, [user('Hi')], {}, { constraint: failing })).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
    });
    expect((await ask(engine, [user('Hi')])).text).toBe(before.text);
  });
});
