import { describe, expect, onTestFinished, test } from 'vitest';

import { ChatService } from '../../../main/chat/chatService.ts';
import { defaultSettings } from '../../../main/contract/domain.ts';
import type { ContextPolicy, Message } from '../../../main/contract/domain.ts';
import { silentLog } from '../../../main/log.ts';
import { scriptedEngine } from '../../support/scriptedEngine.ts';
import { openTestHistory, testHome } from '../history/testHome.ts';

/** 1016 tokens of room, one a character; 254 of them are kept free for an answer. */
const question = 'q'.repeat(180);

function setUp(kind: ContextPolicy['kind'], keepTurns = 3, logprobs = 0) {
  const engine = scriptedEngine('A short answer.');
  const { chats: store } = openTestHistory(testHome());
  const settings = { current: { ...defaultSettings, systemPrompt: 'Be brief.', logprobs } };
  const done: Message[] = [];
  const chats = new ChatService({
    engine,
    store,
    settings,
    log: silentLog,
    publish: () => undefined,
    onAnswered: (answer) => void done.push(answer),
  });
  onTestFinished(() => chats.dispose());
  const chat = chats.update({ chatId: chats.create().id, context: { kind, keepTurns } });
  let leaf: string | null = null;
  const ask = async (content: string) => {
    const before = done.length;
    const { answer } = chats.send({ chatId: chat.id, parentId: leaf, content });
    while (done.length === before) await new Promise((resolve) => setImmediate(resolve));
    leaf = answer.id;
    return store.get(chat.id).messages.find(({ id }) => id === answer.id) ?? answer;
  };
  return { engine, chats, store, chat, ask };
}

describe('a conversation that no longer fits', () => {
  test('stops by default: the next question is refused with the numbers, and nothing is stored', async () => {
    const { ask, store, chat } = setUp('stop');
    for (let turn = 0; turn < 4; turn += 1) expect((await ask(question)).cut).toBeUndefined();
    await expect(ask('x'.repeat(400))).rejects.toMatchObject({ code: 'CONTEXT_FULL' });
    expect(store.get(chat.id).messages).toHaveLength(8);
  });

  test('rolls: keeps the system prompt and the newest turns, says where, and cuts again only when it must', async () => {
    const { ask, engine, store, chat } = setUp('roll');
    const answers: Message[] = [];
    for (let turn = 0; turn < 6; turn += 1) answers.push(await ask(`${turn}${question}`));
    expect(answers.map(({ cut }) => cut?.droppedMessages ?? 0)).toEqual([0, 0, 0, 4, 4, 8]);
    const last = engine.prompts.at(-1) ?? [];
    expect(last[0]).toMatchObject({ role: 'system', content: 'Be brief.' });
    const { messages } = store.get(chat.id);
    expect(messages[8]?.id).toBe(answers[5]?.cut?.firstId);
    expect(last[1]).toMatchObject({ role: 'user', content: messages[8]?.content });
    expect(messages).toHaveLength(12);
  });

  test('summarises: the model’s summary stands in for what is left out, and is kept with the answer', async () => {
    const { ask, engine } = setUp('summarise');
    const answers: Message[] = [];
    for (let turn = 0; turn < 5; turn += 1) answers.push(await ask(question));
    expect(answers[3]?.cut).toMatchObject({ droppedMessages: 6, summary: 'A short answer.' });
    const asked = engine.requests.map(({ sampling, isMeasurement }) => [sampling.temperature, isMeasurement === true]);
    expect(asked.filter(([, aside]) => aside)).toEqual([[0, true]]);
    expect(engine.prompts.at(-1)?.[0]?.content).toBe(
      'Be brief.\n\nSummary of the conversation so far:\nA short answer.',
    );
    expect(answers[4]?.cut).toEqual(answers[3]?.cut);
  });

  test('a question that is too long by itself is refused under every policy', async () => {
    for (const kind of ['roll', 'summarise'] as const) {
      const { ask } = setUp(kind);
      await ask(question);
      await expect(ask('x'.repeat(1100))).rejects.toMatchObject({ code: 'CONTEXT_FULL' });
    }
  });
});

describe('tokens of an answer', () => {
  test('come back to the engine as they were, also after a restart, and with their alternatives to the inspector', async () => {
    const { ask, engine, chats } = setUp('stop', 3, 2);
    const first = await ask('Hi');
    const details = chats.inspect({ messageId: first.id });
    expect(details.map(({ text }) => text).join('')).toBe('A short answer.');
    expect(details[0]?.top).toEqual([
      { token: 65, text: 'A', logprob: -0.5 },
      { token: 66, text: 'B', logprob: -1.5 },
    ]);
    await ask('And?');
    expect(engine.prompts.at(-1)?.[2]?.tokens).toEqual(Int32Array.from('A short answer.', (c) => c.charCodeAt(0)));
  });

  test('another token in the place of one begins a sibling that goes on from there', async () => {
    const { ask, engine, chats, store, chat } = setUp('stop', 3, 2);
    const first = await ask('Hi');
    const { answer } = chats.branch({ chatId: chat.id, messageId: first.id, tokenIndex: 2, token: 116 });
    expect(answer).toMatchObject({ parentId: first.parentId, content: 'A t' });
    while (store.get(chat.id).messages.at(-1)?.status === 'streaming') await new Promise((r) => setImmediate(r));
    const { messages } = store.get(chat.id);
    expect(messages.map(({ content }) => content)).toEqual(['Hi', 'A short answer.', 'A tA short answer.']);
    expect(engine.prompts.at(-1)?.at(-1)?.tokens).toEqual(Int32Array.of(65, 32, 116));
    const details = chats.inspect({ messageId: answer.id });
    expect(details.map(({ text }) => text).join('')).toBe('A tA short answer.');
    expect(details[2]).toMatchObject({ text: 't', logprob: -1.5 });
    const past = { chatId: chat.id, messageId: first.id, tokenIndex: 99, token: 65 };
    expect(() => chats.branch(past)).toThrow('not known');
  });
});
