import { describe, expect, test } from 'vitest';

import { defaultSampling } from '../../../main/contract/domain.ts';
import type { Message } from '../../../main/contract/domain.ts';
import { fakeStats } from '../chat/fakeEngine.ts';
import { openTestHistory, testHome } from './testHome.ts';

let made = 0;
const message = (chatId: string, parentId: string | null, role: Message['role'], content: string): Message => ({
  id: `m${++made}`,
  chatId,
  parentId,
  role,
  content,
  createdAt: 1000 + made,
  status: role === 'user' ? 'complete' : 'streaming',
  error: null,
  stats: null,
});

const defaults = { systemPrompt: 'Be brief.', sampling: { ...defaultSampling, temperature: 0.5, stop: ['\n\n'] } };

function storeWithChat(options: Parameters<typeof openTestHistory>[1] = {}) {
  const home = testHome();
  const history = openTestHistory(home, options);
  return { home, history, store: history.chats, chat: history.chats.create(defaults) };
}

describe('the chat store', () => {
  test('gives back a chat as it was made, also after closing and opening', async () => {
    const { home, history, store, chat } = storeWithChat();
    const user = message(chat.id, null, 'user', 'Où est New York ? 🗽 \0 end');
    const answer = message(chat.id, user.id, 'assistant', '');
    store.begin(chat.id, user, answer);
    const finished: Message = { ...answer, content: 'Là-bas.', status: 'complete', stats: fakeStats(3, 'stop') };
    store.finish(finished, [{ stampNs: 2 ** 52 + 1, forwardNs: 12_345_678, sampleNs: 9 }]);
    const before = store.get(chat.id);
    await history.close();

    const reopened = openTestHistory(home);
    expect(reopened.notice).toBeNull();
    expect(reopened.chats.get(chat.id)).toEqual(before);
    expect(before.messages).toEqual([user, finished]);
    expect(before.systemPrompt).toBe('Be brief.');
    expect(before.sampling).toEqual(defaults.sampling);
    expect(before.leafId).toBe(answer.id);
    expect(reopened.chats.timings(answer.id)).toEqual([{ stampNs: 2 ** 52 + 1, forwardNs: 12_345_678, sampleNs: 9 }]);
  });

  test('names a chat by its first message, lets it be renamed, and names it again when the title is emptied', () => {
    const { store, chat } = storeWithChat();
    expect(chat.title).toBe('New chat');
    const user = message(chat.id, null, 'user', '## **Where** is\nNew York?');
    store.begin(chat.id, user, message(chat.id, user.id, 'assistant', ''));
    expect(store.get(chat.id).title).toBe('Where is');
    expect(store.update(chat.id, { title: '  Geography ' }).title).toBe('Geography');
    const edited = message(chat.id, null, 'user', 'Something else');
    store.begin(chat.id, edited, message(chat.id, edited.id, 'assistant', ''));
    expect(store.get(chat.id).title).toBe('Geography');
    expect(store.update(chat.id, { title: '' }).title).toBe('Where is');
  });

  test('keeps versions as siblings and overwrites nothing', () => {
    const { store, chat } = storeWithChat();
    const user = message(chat.id, null, 'user', 'a');
    const first = message(chat.id, user.id, 'assistant', 'one');
    const second = message(chat.id, user.id, 'assistant', 'two');
    store.begin(chat.id, user, first);
    store.begin(chat.id, null, second);
    const { messages, leafId } = store.get(chat.id);
    expect(messages.map(({ id, parentId, content }) => [id, parentId, content])).toEqual([
      [user.id, null, 'a'],
      [first.id, user.id, 'one'],
      [second.id, user.id, 'two'],
    ]);
    expect(leafId).toBe(second.id);
    expect(store.update(chat.id, { leafId: first.id }).leafId).toBe(first.id);
  });

  test('clears the draft that became a message, and keeps the draft through a regeneration', () => {
    const { store, chat } = storeWithChat();
    store.update(chat.id, { draft: 'half a thou' });
    expect(store.get(chat.id).draft).toBe('half a thou');
    const user = message(chat.id, null, 'user', 'half a thought');
    store.begin(chat.id, user, message(chat.id, user.id, 'assistant', ''));
    expect(store.get(chat.id).draft).toBe('');
    store.update(chat.id, { draft: 'next' });
    store.begin(chat.id, null, message(chat.id, user.id, 'assistant', ''));
    expect(store.get(chat.id).draft).toBe('next');
  });

  test('adds a question and its answer together or not at all', () => {
    const { store, chat } = storeWithChat();
    const user = message(chat.id, null, 'user', 'a');
    const clash = { ...message(chat.id, user.id, 'assistant', ''), id: user.id };
    expect(() => store.begin(chat.id, user, clash)).toThrow(/UNIQUE/);
    expect(store.get(chat.id).messages).toEqual([]);
    expect(store.get(chat.id).title).toBe('New chat');
  });

  test('turns answers that a crash cut off into interrupted ones, with the text of the last checkpoint', () => {
    const { store, chat } = storeWithChat();
    const user = message(chat.id, null, 'user', 'a');
    const answer = message(chat.id, user.id, 'assistant', '');
    store.begin(chat.id, user, answer);
    store.checkpoint(answer.id, 'half of the ans');
    expect(store.settleInterrupted()).toBe(1);
    expect(store.get(chat.id).messages[1]).toMatchObject({ status: 'interrupted', content: 'half of the ans' });
    expect(store.settleInterrupted()).toBe(0);
  });

  test('hides a removed chat, brings it back whole, and lets it go for good after 30 days', async () => {
    let now = 1_000_000;
    const { store, chat } = storeWithChat({ now: () => now });
    const user = message(chat.id, null, 'user', 'needle in a haystack');
    const answer = message(chat.id, user.id, 'assistant', '');
    store.begin(chat.id, user, answer);
    store.finish({ ...answer, status: 'complete' }, [{ stampNs: 1, forwardNs: 1, sampleNs: 1 }]);
    const before = store.get(chat.id);

    store.remove(chat.id);
    expect(store.list()).toEqual([]);
    expect(await store.search('needle')).toEqual([]);
    expect(() => store.get(chat.id)).toThrow('does not exist');
    expect(() => store.update(chat.id, { title: 'x' })).toThrow('does not exist');

    now += 29 * 24 * 3600 * 1000;
    expect(store.purgeDeleted()).toBe(0);
    expect(store.restore(chat.id)).toEqual(before);

    store.remove(chat.id);
    now += 31 * 24 * 3600 * 1000;
    expect(store.purgeDeleted()).toBe(1);
    expect(() => store.restore(chat.id)).toThrow('does not exist');
    expect(store.timings(answer.id)).toEqual([]);
  });

  test('lists pinned chats first and the others by last use', () => {
    let now = 1;
    const { store, chat: oldest } = storeWithChat({ now: () => ++now });
    const middle = store.create(defaults);
    const newest = store.create(defaults);
    const user = message(oldest.id, null, 'user', 'hello');
    store.begin(oldest.id, user, message(oldest.id, user.id, 'assistant', ''));
    expect(store.list().map(({ id }) => id)).toEqual([oldest.id, newest.id, middle.id]);
    store.update(middle.id, { pinned: true });
    expect(store.list().map(({ id }) => id)).toEqual([middle.id, oldest.id, newest.id]);
  });

  test('refuses a leaf of another chat', () => {
    const { store, chat } = storeWithChat();
    const other = store.create(defaults);
    const user = message(other.id, null, 'user', 'a');
    store.begin(other.id, user, message(other.id, user.id, 'assistant', ''));
    expect(() => store.update(chat.id, { leafId: user.id })).toThrow('does not exist in this chat');
  });

  test('bounds the timings: 8192 tokens of an answer, the newest 500 answers', () => {
    const { store, chat } = storeWithChat();
    const many = Array.from({ length: 9000 }, (_, index) => ({ stampNs: index, forwardNs: 1, sampleNs: 1 }));
    const ids = Array.from({ length: 502 }, (_, index) => {
      const answer = message(chat.id, null, 'assistant', '');
      store.begin(chat.id, null, answer);
      store.finish({ ...answer, status: 'complete' }, index === 501 ? many : many.slice(0, 2));
      return answer.id;
    });
    expect(store.timings(ids[501] ?? '')).toEqual(many.slice(0, 8192));
    expect(store.timings(ids[0] ?? '')).toEqual([]);
    expect(store.timings(ids[1] ?? '')).toEqual([]);
    expect(store.timings(ids[2] ?? '')).toHaveLength(2);
  });
});
