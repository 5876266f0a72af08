import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';

import { ChatService } from '../../../main/chat/chatService.ts';
import type { Publish } from '../../../main/chat/runningAnswer.ts';
import { defaultSettings } from '../../../main/contract/domain.ts';
import type { Message } from '../../../main/contract/domain.ts';
import { AppError } from '../../../main/contract/errors.ts';
import type { EventName, Events } from '../../../main/contract/ipcEvents.ts';
import type { EngineService } from '../../../main/engine/engineApi.ts';
import { silentLog } from '../../../main/log.ts';
import { openTestHistory, testHome } from '../history/testHome.ts';
import { FakeEngine, fakeStats } from './fakeEngine.ts';

type Published = { readonly [E in EventName]: { readonly event: E; readonly payload: Events[E] } }[EventName];

function setUp(home = testHome()) {
  const engine = new FakeEngine();
  const history = openTestHistory(home);
  const events: Published[] = [];
  const publish: Publish = (event, payload) => events.push({ event, payload } as Published);
  const answered: Message[] = [];
  const settings = { current: { ...defaultSettings, systemPrompt: 'Be brief.' } };
  const chats = new ChatService({
    engine: engine satisfies EngineService,
    store: history.chats,
    settings,
    publish,
    log: silentLog,
    onAnswered: (answer) => answered.push(answer),
  });
  onTestFinished(() => chats.dispose());
  const of = <E extends EventName>(name: E) =>
    events.filter(({ event }) => event === name).map(({ payload }) => payload as Events[E]);
  const settled = () => vi.advanceTimersByTimeAsync(0);
  return { home, engine, history, chats, events, of, answered, settled };
}

function ask(service: ReturnType<typeof setUp>, content = 'Where is New York?') {
  const chat = service.chats.create();
  return { chat, ...service.chats.send({ chatId: chat.id, parentId: null, content }) };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

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

  test('refuses before anything is stored when no answer can begin', () => {
    const service = setUp();
    const chat = service.chats.create();
    service.engine.promptError = new AppError('CONTEXT_FULL', '9000 tokens do not fit into 8192.');
    expect(() => service.chats.send({ chatId: chat.id, parentId: null, content: 'a' })).toThrow('9000 tokens');
    expect(service.chats.get({ chatId: chat.id }).messages).toEqual([]);
    expect(service.engine.generations).toHaveLength(0);
  });

  test("the engine's error becomes the message's, with the text that had come", async () => {
    const service = setUp();
    const { chat } = ask(service);
    service.engine.last.feed('In the');
    service.engine.last.fail(new AppError('DEVICE_LOST', 'The GPU is gone.', { retryable: true }));
    await service.settled();
    const [, answer] = service.chats.get({ chatId: chat.id }).messages;
    expect(answer).toMatchObject({
      content: 'In the',
      status: 'failed',
      error: { code: 'DEVICE_LOST', message: 'The GPU is gone.', retryable: true },
    });
    expect(service.of('chat.finished')[0]?.message).toEqual(answer);
  });

  test('an unknown error never shows its text', async () => {
    const service = setUp();
    const { chat } = ask(service);
    service.engine.last.fail(new TypeError('secret path /home/x'));
    await service.settled();
    const [, answer] = service.chats.get({ chatId: chat.id }).messages;
    expect(answer?.error?.code).toBe('INTERNAL');
    expect(answer?.error?.message).not.toContain('secret');
  });

  test('stores the text within a second of its coming', async () => {
    const service = setUp();
    const { chat } = ask(service);
    const onDisk = () => service.history.chats.get(chat.id).messages[1]?.content;
    service.engine.last.feed('one ');
    await vi.advanceTimersByTimeAsync(500);
    service.engine.last.feed('two ');
    expect(onDisk()).toBe('');
    await vi.advanceTimersByTimeAsync(500);
    expect(onDisk()).toBe('one two ');
    await vi.advanceTimersByTimeAsync(5000);
    expect(vi.getTimerCount()).toBe(0);
    service.engine.last.feed('three');
    await vi.advanceTimersByTimeAsync(1000);
    expect(onDisk()).toBe('one two three');
  });

  test('a page that loads in the middle sees exactly the text of the frames so far', async () => {
    const service = setUp();
    const { chat } = ask(service);
    const text = () => service.chats.get({ chatId: chat.id }).messages[1]?.content;
    await vi.advanceTimersByTimeAsync(100);
    service.engine.last.feed('sent ');
    service.engine.last.feed('waiting');
    expect(text()).toBe('sent ');
    await vi.advanceTimersByTimeAsync(16);
    expect(text()).toBe('sent waiting');
  });

  test('going down leaves an interrupted answer with all its text, and begins no other', async () => {
    const service = setUp();
    const { chat } = ask(service);
    service.engine.last.feed('In the');
    await service.chats.dispose();
    const [, answer] = service.history.chats.get(chat.id).messages;
    expect(answer).toMatchObject({ content: 'In the', status: 'interrupted' });
    expect(() => service.chats.send({ chatId: chat.id, parentId: null, content: 'a' })).toThrow('closing');
  });

  test('the next start finds what a crash cut off', async () => {
    const before = setUp();
    const { chat } = ask(before);
    before.engine.last.feed('In the');
    await vi.advanceTimersByTimeAsync(1000);
    const after = setUp(before.home);
    expect(after.chats.get({ chatId: chat.id }).messages[1]).toMatchObject({
      content: 'In the',
      status: 'interrupted',
    });
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

  test('what cannot be stored is not answered', () => {
    const service = setUp();
    const chat = service.chats.create();
    vi.spyOn(service.history.chats, 'begin').mockImplementation(() => {
      throw new AppError('DISK_FULL', 'The disk is full.');
    });
    expect(() => service.chats.send({ chatId: chat.id, parentId: null, content: 'a' })).toThrow('disk is full');
    expect(service.engine.last.request.signal?.aborted).toBe(true);
    service.engine.last.feed('never seen');
    expect(service.of('chat.tokens')).toEqual([]);
    expect(service.of('chat.finished')).toEqual([]);
  });

  test('an answer that cannot be stored is still shown, and says so', async () => {
    const service = setUp();
    ask(service);
    vi.spyOn(service.history.chats, 'finish').mockImplementation(() => {
      throw new AppError('DISK_FULL', 'The disk is full.');
    });
    service.engine.last.feed('In the');
    service.engine.last.finish();
    await service.settled();
    expect(service.of('chat.finished')[0]?.message).toMatchObject({
      content: 'In the',
      status: 'failed',
      error: { code: 'DISK_FULL' },
    });
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
