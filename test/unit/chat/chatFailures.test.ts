import { describe, expect, test, vi } from 'vitest';

import { AppError } from '../../../main/contract/errors.ts';
import { ask, setUp } from './chatFixture.ts';

describe('the chat service, when something goes wrong', () => {
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

  test("an answer that the engine's error cut off goes on after its text, and is then whole", async () => {
    const service = setUp();
    const { chat, answer } = ask(service);
    service.engine.last.feed('In the');
    service.engine.last.fail(new AppError('DEVICE_LOST', 'The GPU is gone.', { retryable: true }));
    await service.settled();
    const more = service.chats.continue({ chatId: chat.id, messageId: answer.id });
    expect(more.answer).toMatchObject({ id: answer.id, content: 'In the', status: 'streaming', error: null });
    expect(service.engine.prompts.at(-1)?.at(-1)).toMatchObject({ role: 'assistant', content: 'In the' });
    service.engine.last.feed(' east.');
    service.engine.last.finish();
    await service.settled();
    const { messages } = service.chats.get({ chatId: chat.id });
    expect(messages).toHaveLength(2);
    expect(messages[1]).toMatchObject({ content: 'In the east.', status: 'complete', error: null });
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
});
