import { describe, expect, test, vi } from 'vitest';

import { fakeStats } from './fakeEngine.ts';
import { ask, setUp } from './chatFixture.ts';

describe('the chat service', () => {
  test('answers: stores question and answer, streams, and ends with the stored answer and its stats', async () => {
    const service = setUp();
    const { chat, generationId, user, answer } = ask(service);
    expect(service.engine.prompts).toEqual([
      [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Where is New York?' },
      ],
    ]);
    expect(service.chats.get({ chatId: chat.id }).messages).toEqual([user, answer]);
    expect(answer).toMatchObject({ status: 'streaming', content: '', parentId: user.id });

    service.engine.last.prefill(3, 5);
    service.engine.last.feed('In ');
    service.engine.last.feed('the east.');
    service.engine.last.finish();
    await service.settled();

    expect(service.of('chat.prefill')).toEqual([
      {
        generationId,
        chatId: chat.id,
        messageId: answer.id,
        doneTokens: 3,
        totalTokens: 5,
        reusedTokens: 2,
        elapsedNs: 1000,
      },
    ]);
    const frames = service.of('chat.tokens');
    expect(frames.map(({ text }) => text).join('')).toBe('In the east.');
    expect(frames.flatMap(({ timings }) => timings)).toEqual([
      { stampNs: 1_000_000, forwardNs: 800_000, sampleNs: 20_000 },
      { stampNs: 2_000_000, forwardNs: 800_000, sampleNs: 20_000 },
    ]);
    const stored = { ...answer, content: 'In the east.', status: 'complete', stats: fakeStats(2, 'stop') };
    expect(service.of('chat.finished')).toEqual([{ generationId, message: stored }]);
    expect(service.events.findLastIndex(({ event }) => event === 'chat.tokens')).toBeLessThan(
      service.events.findIndex(({ event }) => event === 'chat.finished'),
    );
    expect(service.chats.get({ chatId: chat.id })).toMatchObject({
      leafId: answer.id,
      title: 'Where is New York?',
      messages: [user, stored],
    });
    expect(service.chats.timings({ messageId: answer.id })).toHaveLength(2);
    expect(service.answered).toEqual([stored]);
  });

  test('gathers what comes within 16 ms into one frame, and lets the first one leave at once', async () => {
    const service = setUp();
    ask(service);
    const { last } = service.engine;
    await vi.advanceTimersByTimeAsync(100);
    for (let index = 0; index < 160; index++) {
      last.feed('x');
      await vi.advanceTimersByTimeAsync(1);
    }
    const frames = service.of('chat.tokens');
    expect(frames[0]?.text).toBe('x');
    expect(frames.length).toBeGreaterThanOrEqual(10);
    expect(frames.length).toBeLessThanOrEqual(12);
    const gaps = frames.slice(1).map(({ sentAt }, index) => sentAt - (frames[index]?.sentAt ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(16);
    last.finish();
    await service.settled();
    expect(service.of('chat.tokens').reduce((sum, { text }) => sum + text.length, 0)).toBe(160);
    expect(service.of('chat.tokens').reduce((sum, { timings }) => sum + timings.length, 0)).toBe(160);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('an edit is a sibling question, and its prompt is the path through the tree', async () => {
    const service = setUp();
    const { chat, answer } = ask(service, 'first');
    service.engine.last.feed('one');
    service.engine.last.finish();
    await service.settled();
    const second = service.chats.send({ chatId: chat.id, parentId: answer.id, content: 'second' });
    service.engine.last.finish();
    await service.settled();

    service.chats.send({ chatId: chat.id, parentId: answer.id, content: 'second, edited' });
    expect(service.engine.prompts.at(-1)?.map(({ content }) => content)).toEqual([
      'Be brief.',
      'first',
      'one',
      'second, edited',
    ]);
    const { messages } = service.chats.get({ chatId: chat.id });
    expect(messages.filter(({ parentId }) => parentId === answer.id).map(({ content }) => content)).toEqual([
      'second',
      'second, edited',
    ]);
    expect(messages.find(({ id }) => id === second.user.id)?.content).toBe('second');
  });

  test('regenerating adds a sibling answer and keeps the first', async () => {
    const service = setUp();
    const { chat, user, answer } = ask(service);
    service.engine.last.feed('one');
    service.engine.last.finish();
    await service.settled();
    const again = service.chats.regenerate({ chatId: chat.id, messageId: answer.id });
    expect(service.engine.prompts[1]).toEqual(service.engine.prompts[0]);
    service.engine.last.feed('two');
    service.engine.last.finish();
    await service.settled();
    const { messages, leafId } = service.chats.get({ chatId: chat.id });
    expect(messages.map(({ parentId, content }) => [parentId, content])).toEqual([
      [null, 'Where is New York?'],
      [user.id, 'one'],
      [user.id, 'two'],
    ]);
    expect(leafId).toBe(again.answer.id);
  });

  test('continuing goes on in the same answer, after its text', async () => {
    const service = setUp();
    const { chat, answer } = ask(service);
    service.engine.last.feed('In the');
    service.engine.last.finish('length');
    await service.settled();
    const more = service.chats.continue({ chatId: chat.id, messageId: answer.id });
    expect(service.engine.prompts.at(-1)?.at(-1)).toMatchObject({ role: 'assistant', content: 'In the' });
    expect(more.answer).toMatchObject({ id: answer.id, content: 'In the', status: 'streaming' });
    service.engine.last.feed(' east.');
    expect(service.of('chat.tokens').at(-1)?.text).toBe(' east.');
    service.engine.last.finish();
    await service.settled();
    const { messages } = service.chats.get({ chatId: chat.id });
    expect(messages).toHaveLength(2);
    expect(messages[1]).toMatchObject({ content: 'In the east.', status: 'complete' });
    expect(await service.chats.search({ query: 'the east' })).toHaveLength(1);
  });

  test('a stop keeps the text and says that it was stopped; stopping twice is no error', async () => {
    const service = setUp();
    const { chat, generationId } = ask(service);
    service.engine.last.feed('In the');
    service.chats.stop({ generationId });
    await service.settled();
    expect(service.chats.stop({ generationId })).toBeNull();
    const [, answer] = service.chats.get({ chatId: chat.id }).messages;
    expect(answer).toMatchObject({ content: 'In the', status: 'complete', stats: { finishReason: 'cancelled' } });
  });

  test('chats answer side by side, but a chat answers once at a time', async () => {
    const service = setUp();
    const first = ask(service, 'first');
    const one = service.engine.last;
    const second = ask(service, 'second');
    const two = service.engine.last;
    const again = { chatId: first.chat.id, parentId: null, content: 'more' };
    expect(() => service.chats.send(again)).toThrow('still being answered');
    two.feed('2');
    one.feed('1');
    two.finish();
    one.finish();
    await service.settled();
    expect(service.chats.get({ chatId: first.chat.id }).messages[1]?.content).toBe('1');
    expect(service.chats.get({ chatId: second.chat.id }).messages[1]?.content).toBe('2');
    expect(() => service.chats.send(again)).not.toThrow();
  });

  test('removing a chat stops its answer, and restoring it brings the answer back', async () => {
    const service = setUp();
    const { chat } = ask(service);
    service.engine.last.feed('In the');
    service.chats.remove({ chatId: chat.id });
    await service.settled();
    expect(service.engine.last.request.signal?.aborted).toBe(true);
    expect(service.chats.restore({ chatId: chat.id }).messages[1]?.content).toBe('In the');
  });

  test('refuses to follow a question or a message of another chat', async () => {
    const service = setUp();
    const { chat, user } = ask(service);
    service.engine.last.finish();
    await service.settled();
    const other = service.chats.create();
    expect(() => service.chats.send({ chatId: other.id, parentId: user.id, content: 'a' })).toThrow('follow an answer');
    expect(() => service.chats.regenerate({ chatId: other.id, messageId: user.id })).toThrow('no message');
    expect(() => service.chats.continue({ chatId: chat.id, messageId: 'nothing' })).toThrow('no answer');
  });
});
