import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';

import { defaultSampling } from '../../../main/contract/domain.ts';
import type { ChatStore } from '../../../main/history/chatStore.ts';
import { openTestHistory, testHome } from './testHome.ts';

function addChat(store: ChatStore, title: string, ...texts: readonly string[]): string {
  const chat = store.create({ systemPrompt: '', sampling: defaultSampling });
  for (const content of texts) {
    const base = { id: randomUUID(), chatId: chat.id, parentId: null, createdAt: 1, error: null, stats: null };
    store.begin(chat.id, null, { ...base, role: 'assistant', content, status: 'complete' });
  }
  store.update(chat.id, { title });
  return chat.id;
}

/** The marked part of each hit. */
const marked = async (store: ChatStore, query: string) =>
  (await store.search(query)).map(({ snippet, matchStart, matchEnd }) => snippet.slice(matchStart, matchEnd));

// Both ways of searching must find the same.
describe.each([
  ['with FTS5', true],
  ['by scanning', false],
])('search %s', (_, allowFts) => {
  const open = () => {
    let now = 0;
    return openTestHistory(testHome(), { allowFts, now: () => ++now }).chats;
  };

  test('finds words in titles and contents, inside words, in any case and script', async () => {
    const store = open();
    const id = addChat(store, 'Reise nach Köln', 'The CUDA kernel', 'Привет, мир', '東京タワーはどこ');
    expect(await marked(store, 'köln')).toEqual(['Köln']);
    expect(await marked(store, 'ernel')).toEqual(['ernel']);
    expect(await marked(store, 'cuda')).toEqual(['CUDA']);
    expect(await marked(store, 'ПРИВЕТ')).toEqual(['Привет']);
    expect(await marked(store, '京タ')).toEqual(['京タ']);
    expect(await marked(store, 'タワーは')).toEqual(['タワーは']);
    expect((await store.search('köln'))[0]).toMatchObject({ chatId: id, messageId: null });
    expect(await marked(store, 'absent')).toEqual([]);
  });

  test('wants every word, in any order, in the same message', async () => {
    const store = open();
    addChat(store, 't', 'alpha beta gamma', 'alpha only', 'beta only');
    expect(await marked(store, 'gamma alpha')).toEqual(['gamma']);
    expect(await marked(store, 'alpha a')).toEqual(['alpha', 'alpha']);
  });

  test('takes punctuation and query syntax as plain text', async () => {
    const store = open();
    addChat(store, 't', 'use `a.*b` and "quoted" NEAR(x) 100% of_it C:\\dir', 'a plain message');
    for (const query of ['a.*b', '"quoted"', 'NEAR(x)', '100%', 'of_it', 'C:\\dir', '*b`', '""', "d'"]) {
      expect(await marked(store, query), query).toEqual(query === '""' || query === "d'" ? [] : [query]);
    }
    expect(await store.search('   ')).toEqual([]);
    expect(await marked(store, 'alpha OR message')).toEqual([]);
  });

  test('gives a short line around the match with true offsets, also between emoji and line breaks', async () => {
    const store = open();
    addChat(store, 't', `${'🗽'.repeat(100)}\n\n needle ${'🗽'.repeat(200)}`);
    const [hit] = await store.search('needle');
    expect(hit?.snippet.length).toBeLessThan(220);
    expect(hit?.snippet).not.toContain('\n');
    expect(hit?.snippet.isWellFormed()).toBe(true);
    expect(hit?.snippet.slice(hit.matchStart, hit.matchEnd)).toBe('needle');
  });

  test('shows the newest chat first and stops at a hundred', async () => {
    const store = open();
    const old = addChat(store, 'old', 'needle');
    const recent = addChat(store, 'recent', ...Array.from({ length: 120 }, (_, index) => `needle ${index}`));
    const hits = await store.search('needle');
    expect(hits).toHaveLength(100);
    expect(hits[0]).toMatchObject({ chatId: recent, snippet: 'needle 119' });
    expect(hits.some(({ chatId }) => chatId === old)).toBe(false);
  });

  test('follows an answer that goes on', async () => {
    const store = open();
    const chatId = addChat(store, 't', 'the first half');
    const [answer] = store.get(chatId).messages;
    store.reopen(answer!);
    store.checkpoint(answer!.id, 'the first half and the second');
    store.finish({ ...answer!, content: 'the first half and the end' }, []);
    expect(await marked(store, 'the end')).toEqual(['the']);
    expect(await marked(store, 'second')).toEqual([]);
  });
});

test('what was written by an app without FTS5 is found by one that has it, and the other way round', async () => {
  const home = testHome();
  const without = openTestHistory(home, { allowFts: false });
  const chatId = addChat(without.chats, 't', 'written without');
  await without.close();
  const having = openTestHistory(home);
  expect(await marked(having.chats, 'written without')).toEqual(['written']);
  const [answer] = having.chats.get(chatId).messages;
  await having.close();

  const again = openTestHistory(home, { allowFts: false });
  again.chats.reopen(answer!);
  again.chats.finish({ ...answer!, content: 'changed behind the index' }, []);
  await again.close();
  const last = openTestHistory(home).chats;
  expect(await marked(last, 'behind')).toEqual(['behind']);
  expect(await marked(last, 'written')).toEqual([]);
});
