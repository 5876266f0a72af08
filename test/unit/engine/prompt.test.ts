import { rmSync } from 'node:fs';

import { afterAll, describe, expect, it } from 'vitest';

import { AnswerMemory } from '../../../main/engine/answerMemory.ts';
import { buildPrompt, checkRoom } from '../../../main/engine/prompt.ts';
import type { PromptMessage } from '../../../main/engine/engineApi.ts';
import { openTokenizer } from '../../../main/engine/tokenizer.ts';
import { beginToken, endToken, writeByteLevelTokenizer } from '../../support/byteLevelTokenizer.ts';

const folder = writeByteLevelTokenizer();
afterAll(() => rmSync(folder, { recursive: true }));
const tokenizer = openTokenizer({ source: folder, vocab: 267, endTokens: [endToken] });

const question: PromptMessage = { role: 'user', content: 'Where is New York?' };
const build = (messages: readonly PromptMessage[], format: 'model-card' | 'raw', answers = new AnswerMemory()) =>
  buildPrompt(messages, format, tokenizer, answers);
const textOf = (tokens: Int32Array) => tokenizer.decode(tokens);

describe('model-card', () => {
  it('is the text of the model card, tokenized whole, behind the tokenizer’s own special tokens', () => {
    const { tokens } = build([question], 'model-card');
    expect([...tokens]).toEqual([
      ...tokenizer.encode('User: Where is New York?\nAssistant:', { addSpecialTokens: true }),
    ]);
    expect(tokens[0]).toBe(beginToken);
  });

  it('puts the system text first and turns one under another', () => {
    const { tokens } = build(
      [
        { role: 'system', content: 'Be brief.' },
        question,
        { role: 'assistant', content: ' In America.' },
        { role: 'user', content: 'Thanks' },
      ],
      'model-card',
    );
    expect(textOf(tokens.slice(1))).toBe(
      'Be brief.\nUser: Where is New York?\nAssistant: In America.\nUser: Thanks\nAssistant:',
    );
  });

  it('goes on with an answer that ends the conversation', () => {
    const { tokens } = build([question, { role: 'assistant', content: ' In Am' }], 'model-card');
    expect(textOf(tokens.slice(1))).toBe('User: Where is New York?\nAssistant: In Am');
  });

  it('an answer from elsewhere gets the space that the model would have written', () => {
    const { tokens } = build([question, { role: 'assistant', content: 'Here' }], 'model-card');
    expect(textOf(tokens.slice(1))).toBe('User: Where is New York?\nAssistant: Here');
  });
});

describe('raw', () => {
  it('is the contents and nothing else', () => {
    const { tokens } = build([question, { role: 'assistant', content: ' It is' }], 'raw');
    expect([...tokens]).toEqual([...tokenizer.encode('Where is New York? It is')]);
  });
});

describe('answers that the engine gave', () => {
  it('go in as the very tokens, so that the next prompt begins with what was consumed', () => {
    const answers = new AnswerMemory();
    const first = build([question], 'model-card', answers);
    // "hello" in single bytes, which is not how the tokenizer spells it.
    const unusual = Int32Array.from([...Buffer.from(' hello')].map((byte) => byte + 3));
    expect([...tokenizer.encode(' hello')]).not.toEqual([...unusual]);
    answers.remember(first.tokens, ' hello', unusual);
    const next = build(
      [question, { role: 'assistant', content: ' hello' }, { role: 'user', content: 'More' }],
      'model-card',
      answers,
    );
    const consumed = [...first.tokens, ...unusual];
    expect([...next.tokens.slice(0, consumed.length)]).toEqual(consumed);
    expect(textOf(next.tokens.slice(1))).toBe('User: Where is New York?\nAssistant: hello\nUser: More\nAssistant:');
  });

  it('are forgotten, oldest first, rather than piling up', () => {
    const answers = new AnswerMemory();
    for (let index = 0; index < 1500; index += 1) {
      answers.remember(Int32Array.of(index), `answer ${index}`, Int32Array.of(7));
    }
    expect(answers.mayKnow('answer 0')).toBe(false);
    expect(answers.recall(Int32Array.of(1499), 'answer 1499')).toEqual(Int32Array.of(7));
  });
});

describe('boundaries', () => {
  it('ascend, end with the prompt, and none is inside a token', () => {
    const messages: readonly PromptMessage[] = [question, { role: 'assistant', content: ' €' }, question];
    const { tokens, boundaries } = build(messages, 'model-card');
    expect(boundaries.at(-1)).toBe(tokens.length);
    expect([...boundaries].sort((a, b) => a - b)).toEqual(boundaries);
    for (const boundary of boundaries) expect(textOf(tokens.slice(0, boundary))).not.toContain('\uFFFD');
  });

  it('the tokens before the last but one survive an edit of the last question', () => {
    const start: readonly PromptMessage[] = [question, { role: 'assistant', content: ' In America.' }];
    const one = build([...start, { role: 'user', content: 'And Paris?' }], 'model-card');
    const other = build([...start, { role: 'user', content: 'Why?' }], 'model-card');
    const shared = one.boundaries.filter((count) =>
      one.tokens.slice(0, count).every((token, index) => token === other.tokens[index]),
    );
    const beforeQuestion = tokenizer.encode('User: Where is New York?\nAssistant: In America.', {
      addSpecialTokens: true,
    }).length;
    expect(shared).toContain(beforeQuestion);
  });
});

describe('room', () => {
  it('a prompt that leaves none for an answer is refused with the numbers', () => {
    const prompt = { tokens: new Int32Array(92), boundaries: [92] };
    expect(() => checkRoom(prompt, { contextPositions: 100, metaTokens: 8 })).toThrowError(
      expect.objectContaining({
        code: 'CONTEXT_FULL',
        message: expect.stringMatching(/92 tokens.*91.*100 positions, 8/),
      }),
    );
    checkRoom({ tokens: new Int32Array(91), boundaries: [91] }, { contextPositions: 100, metaTokens: 8 });
  });
});
