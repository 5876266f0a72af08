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
    await engine.load({ source: 'synthetic:tiny' });
    const counts = new Map<string, number>();
    const abort = new AbortController();
    const start = (name: string, text: string, signal = new AbortController().signal) =>
      ask(
        engine,
        [user(text)],
        { maxNewTokens: 600 },
        {
          ignoreEnd: true,
          signal,
          onFrame: ({ tokens }) => counts.set(name, (counts.get(name) ?? 0) + tokens.length),
        },
      );
    const streams = Array.from({ length: 8 }, (_, index) => start(`stream ${index}`, `Stream ${index}`));
    const leaving = start('leaving', 'Leaving', abort.signal);
    while ((counts.get('stream 7') ?? 0) < 100) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(engine.status).toMatchObject({ running: 9, queued: 0 });
    const newcomer = start('newcomer', 'long '.repeat(800));
    abort.abort();
    expect((await leaving).stats.finishReason).toBe('cancelled');
    const answers = await Promise.all([...streams, newcomer]);
    for (const { tokens } of answers) expect(tokens).toHaveLength(600);
    const ends = answers.slice(0, 8).map(({ tokens }) => tokens.at(-1)?.stampNs ?? 0);
    const starts = answers.slice(0, 8).map(({ tokens }) => tokens[0]?.stampNs ?? 0);
    // Those that began together end together: nobody was served at the expense of another.
    expect(Math.max(...ends) - Math.min(...ends)).toBeLessThan(0.5 * (Math.max(...ends) - Math.min(...starts)));
    const { tokens } = answers[8] ?? { tokens: [] };
    expect(tokens[0]?.stampNs).toBeLessThan(Math.min(...ends));
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
