import { describe, expect, it } from 'vitest';

import { ask, user } from '../support/asking.ts';
import { tinyEngine } from '../support/tinyEngine.ts';

const { tiny, engine } = tinyEngine();

describe('many answers at a time', () => {
  /** Prompts of many lengths: within one piece, several pieces, and some that share a beginning. */
  const prompts = Array.from({ length: 24 }, (_, index) => {
    const text = `${index % 3 === 0 ? 'The same beginning. ' : ''}${'word '.repeat((index * 37) % 150)}${index}?`;
    return [user(text)];
  });
  const greedyOptions = { temperature: 0, maxNewTokens: 40 };

  it('are what each would be alone, whatever the company', async () => {
    await engine.load({ source: tiny, format: 'int4' });
    const together = await Promise.all(
      prompts.map((messages, index) =>
        ask(engine, messages, index % 4 === 1 ? { temperature: 0.8, seed: index } : greedyOptions),
      ),
    );
    // A fresh engine each time: what was kept from one would spare another the reading.
    for (const index of [0, 1, 5, 17, 23]) {
      await engine.load({ source: tiny, format: 'int4' });
      const alone = await ask(
        engine,
        prompts[index] ?? [],
        index % 4 === 1 ? { temperature: 0.8, seed: index } : greedyOptions,
      );
      expect(together[index]?.tokens.map(({ token }) => token)).toEqual(alone.tokens.map(({ token }) => token));
    }
  });

  it('advance side by side, a newcomer with a long prompt among them, and one that leaves stops at once', async () => {
    await engine.load({ source: 'synthetic:tiny', contextPositions: 32_768 });
    const [leave, end] = [new AbortController(), new AbortController()];
    /** Goes on until it is told to stop; `isUnderWay` once it has written something. */
    const endless = (text: string, { signal }: AbortController) => {
      const isUnderWay = Promise.withResolvers<void>();
      const request = { ignoreEnd: true, signal, onFrame: () => isUnderWay.resolve() };
      const answer = ask(engine, [user(text)], { maxNewTokens: 32_768 }, request);
      return { answer, isUnderWay: isUnderWay.promise };
    };
    const streams = Array.from({ length: 8 }, (_, index) => endless(`Stream ${index}`, end));
    const leaving = endless('Leaving', leave);
    await Promise.all([...streams, leaving].map(({ isUnderWay }) => isUnderWay));
    expect(engine.status).toMatchObject({ running: 9, queued: 0 });
    const newcomer = ask(engine, [user('long '.repeat(800))], { maxNewTokens: 600 }, { ignoreEnd: true });
    leave.abort();
    expect((await leaving.answer).stats.finishReason).toBe('cancelled');
    const { tokens } = await newcomer;
    expect(tokens).toHaveLength(600);
    end.abort();
    const [from, to] = [tokens[0]?.stampNs ?? 0, tokens.at(-1)?.stampNs ?? 0];
    for (const { answer } of streams) {
      const { tokens: others, stats } = await answer;
      expect(stats.finishReason).toBe('cancelled');
      // Nobody was served at the expense of another while the newcomer wrote.
      const meanwhile = others.filter(({ stampNs }) => stampNs >= from && stampNs <= to).length;
      expect(meanwhile).toBeGreaterThan(0.7 * tokens.length);
      expect(meanwhile).toBeLessThan(1.3 * tokens.length);
    }
  });

  it('more than can wait are refused as BUSY, and the others are answered', async () => {
    await engine.load({ source: 'synthetic:tiny', contextPositions: 256 });
    const answers = await Promise.allSettled(
      Array.from({ length: 400 }, (_, index) => ask(engine, [user(`${index}`)], { maxNewTokens: 3 })),
    );
    const refused = answers.filter((answer) => answer.status === 'rejected');
    expect(refused.length).toBeGreaterThan(100);
    expect(refused.length).toBeLessThan(300);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'BUSY', retryable: true });
  });
});
