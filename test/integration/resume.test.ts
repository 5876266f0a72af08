import { readdirSync, rmSync, truncateSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { defaultSampling } from '../../main/contract/domain.ts';
import type { LoadRequest } from '../../main/contract/domain.ts';
import type { GenerateResult, PromptMessage } from '../../main/engine/engineApi.ts';
import { createEngineService } from '../../main/engine/engineService.ts';
import { freshFolder } from '../support/home.ts';
import { writeTinyCheckpoint } from '../support/tinyCheckpoint.ts';

const root = freshFolder('resume');
const tiny = path.join(root, 'tiny');
const statesFolder = path.join(root, 'states');
beforeAll(() => writeTinyCheckpoint(tiny));
afterAll(() => rmSync(root, { recursive: true }));

const sampling = { ...defaultSampling, temperature: 0, maxNewTokens: 12, seed: 5 };
/** About 16 000 tokens: the tokenizer knows no word of it. */
const longQuestion = 'wxyz '.repeat(3200);
const user = (content: string): PromptMessage => ({ role: 'user', content });
const said = ({ text, textTokens }: GenerateResult): PromptMessage => {
  return { role: 'assistant', content: text, tokens: textTokens };
};

/** One run of the program, from start to end. */
async function runProgram<T>(
  use: (ask: (messages: readonly PromptMessage[]) => Promise<GenerateResult>) => Promise<T>,
  load: Partial<LoadRequest> = {},
  options: { readonly statesFolder?: string; readonly checkpointBytes?: number } = { statesFolder },
): Promise<T> {
  const engine = createEngineService(options);
  try {
    await engine.load({ source: tiny, format: 'bf16', contextPositions: 17_408, ...load });
    return await use((messages) => engine.generate({ prompt: engine.prompt(messages, 'model-card'), sampling }));
  } finally {
    await engine.dispose();
  }
}

const read = ({ stats }: GenerateResult) => stats.promptTokens - stats.reusedTokens;
const stateFiles = () =>
  readdirSync(statesFolder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.nfstate'));

describe('a chat after a restart', () => {
  it('of 16 000 tokens reads its next message alone', async () => {
    const first = await runProgram((ask) => ask([user(longQuestion)]));
    expect(read(first)).toBeGreaterThan(16_000);
    const resumed = await runProgram((ask) => ask([user(longQuestion), said(first), user('Short?')]));
    // The answer's last token was known and not yet consumed; the rest is the message and its frame.
    expect(read(resumed)).toBeLessThan(40);
    expect(resumed.stats).toMatchObject({ restoredTokens: resumed.stats.reusedTokens });
    expect(resumed.stats.notice).toBeUndefined();
  });

  it('answers as if nothing had happened, and is read again, with the reason, where anything differs', async () => {
    const question = 'efgh '.repeat(120);
    const exact = { format: 'f32' } as const;
    const first = await runProgram((ask) => ask([user(question)]), exact);
    const next = [user(question), said(first), user('Short?')];
    const resumed = await runProgram((ask) => ask(next), exact);
    const afresh = await runProgram((ask) => ask(next), exact, {});
    expect([read(resumed) < 40, read(afresh)]).toEqual([true, afresh.stats.promptTokens]);
    expect(resumed.textTokens).toEqual(afresh.textTokens);

    const inOtherFormat = await runProgram((ask) => ask(next), { format: 'bf16' });
    expect(inOtherFormat.stats).toMatchObject({ reusedTokens: 0, notice: expect.stringContaining('another format') });
    for (const name of stateFiles()) truncateSync(path.join(statesFolder, name), 5000);
    const later = [...next, said(inOtherFormat), user('And then?')];
    const afterDamage = await runProgram((ask) => ask(later), { format: 'bf16' });
    expect(afterDamage.stats).toMatchObject({ reusedTokens: 0, notice: expect.stringContaining('not as long') });
    expect(afterDamage.text).not.toBe('');
  });

  it('goes on from the disk when memory holds no checkpoint at all', async () => {
    const questions = ['abcd '.repeat(100), 'efgh '.repeat(100)];
    await runProgram(
      async (ask) => {
        const answers = await Promise.all(questions.map((question) => ask([user(question)])));
        for (const [index, question] of questions.entries()) {
          const answer = answers[index];
          if (answer === undefined) throw new Error('no answer');
          const more = await ask([user(question), said(answer), user('More?')]);
          expect(read(more)).toBeLessThan(40);
        }
      },
      {},
      { statesFolder, checkpointBytes: 0 },
    );
  });
});
