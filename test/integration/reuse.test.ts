import { describe, expect, it } from 'vitest';

import type { PromptMessage } from '../../main/engine/engineApi.ts';
import { createEngineService } from '../../main/engine/engineService.ts';
import { ask, assistant, sampling, user } from '../support/asking.ts';
import { tinyEngine } from '../support/tinyEngine.ts';

const { tiny, engine } = tinyEngine();

describe('nothing is read twice', () => {
  /** Tokens that this answer had to read. */
  const read = ({ stats }: { stats: { promptTokens: number; reusedTokens: number } }) =>
    stats.promptTokens - stats.reusedTokens;

  /** Random weights say random bytes; an answer that ends inside a character is read again, so here there are none. */
  const noHalfCharacters = Array.from({ length: 128 }, (_, index) => [3 + 128 + index, -100] as const);

  /** Positions after an answer: the last token of one that was cut by its length is known and not consumed. */
  const consumedBy = ({ prompt, tokens, stats }: Awaited<ReturnType<typeof ask>>) =>
    prompt.tokens.length + tokens.length - (stats.finishReason === 'length' ? 1 : 0);

  it('each turn reads the last answer’s last token and what is new', async () => {
    await engine.load({ source: tiny });
    const messages: PromptMessage[] = [];
    let consumed = 0;
    for (const question of ['Where is New York?', 'And Paris €?', 'Why 😀?']) {
      messages.push(user(question));
      const answer = await ask(engine, messages, {}, { logitBias: noHalfCharacters });
      expect(answer.stats.reusedTokens).toBe(consumed);
      consumed = consumedBy(answer);
      messages.push(assistant(answer.text));
    }
  });

  it('another answer to the same question reads nothing', async () => {
    await engine.load({ source: 'synthetic:tiny' });
    const first = await ask(engine, [user('Hi')]);
    expect(read(first)).toBe(first.prompt.tokens.length);
    const again = await ask(engine, [user('Hi')]);
    expect(read(again)).toBe(0);
    expect(again.text).toBe(first.text);
    expect((await ask(engine, [user('Hi')], { seed: 6 })).text).not.toBe(first.text);
  });

  it('switching between chats reads only what is new in each', async () => {
    await engine.load({ source: tiny });
    const one = [user('First chat')];
    const two = [user('Second chat')];
    const answerOne = await ask(engine, one, {}, { logitBias: noHalfCharacters });
    const answerTwo = await ask(engine, two, {}, { logitBias: noHalfCharacters });
    const nextOne = await ask(engine, [...one, assistant(answerOne.text), user('go on')]);
    expect(nextOne.stats.reusedTokens).toBe(consumedBy(answerOne));
    const nextTwo = await ask(engine, [...two, assistant(answerTwo.text), user('go on')]);
    expect(nextTwo.stats.reusedTokens).toBe(consumedBy(answerTwo));
  });

  it('what was reused and what was read afresh give the same answer', async () => {
    await engine.load({ source: tiny, format: 'f32' });
    const first = await ask(engine, [user('Hi')], { temperature: 0 });
    const messages = [user('Hi'), assistant(first.text), user('More, please')];
    const reused = await ask(engine, messages, { temperature: 0 });
    expect(reused.stats.reusedTokens).toBeGreaterThan(0);
    const { prompt } = reused;
    await engine.load({ source: tiny, format: 'f32' });
    const afresh = await engine.generate({ prompt, sampling: sampling({ temperature: 0 }) });
    expect(afresh.stats.reusedTokens).toBe(0);
    expect(afresh.tokens.map(({ token }) => token)).toEqual(reused.tokens.map(({ token }) => token));
  });

  it('without room for checkpoints everything is slower and still right', async () => {
    const small = createEngineService({ checkpointBytes: 0 });
    await small.load({ source: 'synthetic:tiny' });
    const first = await ask(small, [user('Hi')]);
    const again = await ask(small, [user('Hi')]);
    expect(again.stats.reusedTokens).toBe(0);
    expect(again.text).toBe(first.text);
    await small.dispose();
    await small.dispose();
  });
});
