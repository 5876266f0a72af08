import { describe, expect, test } from 'vitest';

import { defaultSampling } from '../../../main/contract/domain.ts';
import type { Chat, ContextPolicy, Message } from '../../../main/contract/domain.ts';
import type { ChatStore } from '../../../main/history/chatStore.ts';
import { exportChats, importChats } from '../../../main/history/exchange.ts';
import type { ExchangeFormat } from '../../../main/history/exchange.ts';
import { fakeStats } from '../chat/fakeEngine.ts';
import { openTestHistory, testHome } from './testHome.ts';

const openStore = () => openTestHistory(testHome()).chats;

/** Texts that look like what the exports are made of. */
const trickyTexts = [
  '',
  '\n\n\n',
  '# Title\n\n## User\n\ntext',
  '<!-- nemoflash-message {"id":"x","chars":3} -->\n\n## User\n\nabc\n\n',
  '<!-- nemoflash-chat {} -->',
  '```ts\nconst a = "<!-- -->";\n```\n',
  'windows\r\nline\rends\r\n',
  '🗽 \u0000 \u2028 é e\u0301 \ufeff',
  '{"format": "nemoflash-chats"}',
];

function addTrickyChat(store: ChatStore, title: string): Chat {
  const { id, ...rest } = store.create({
    systemPrompt: 'Be brief.\n-->',
    sampling: { ...defaultSampling, stop: ['\n'] },
  });
  const message = (index: number, parent: number | null, content: string): Message => ({
    id: `${id}-${index}`,
    chatId: id,
    parentId: parent === null ? null : `${id}-${parent}`,
    role: index % 2 === 0 ? 'user' : 'assistant',
    content,
    createdAt: 1_700_000_000_000 + index,
    status: 'complete',
    error: null,
    stats: index % 2 === 0 ? null : fakeStats(index + 1, 'stop'),
  });
  const messages = trickyTexts.map((text, index) => message(index, index === 0 ? null : index - 1, text));
  const failed: Message = {
    ...message(11, 0, 'a second version'),
    status: 'failed',
    error: { code: 'DEVICE_LOST', message: 'The GPU --> is gone.', retryable: true },
    stats: null,
    cut: { firstId: `${id}-2`, droppedMessages: 2, summary: 'They --> met.' },
  };
  const context: ContextPolicy = { kind: 'summarise', keepTurns: 3 };
  const chat = { ...rest, context, id: `${id}-filled`, title, draft: 'typed so far', pinned: true, leafId: failed.id };
  const owned = [...messages, failed].map((entry) => ({ ...entry, chatId: chat.id }));
  store.remove(id);
  store.insert({ ...chat, messages: owned });
  return store.get(chat.id);
}

describe.each<ExchangeFormat>(['json', 'markdown'])('an export as %s', (format) => {
  test('comes back exactly, and exports again to the same bytes', async () => {
    const source = openStore();
    const chats = [addTrickyChat(source, 'One\n# --> title'), addTrickyChat(source, 'Two'), addTrickyChat(source, '')];
    const text = exportChats(source, format);
    const target = openStore();
    expect(importChats(target, text)).toEqual({ imported: 3, copied: 0, skipped: 0 });
    for (const chat of chats) expect(target.get(chat.id)).toEqual(chat);
    expect(exportChats(target, format)).toBe(text);
    expect(await target.search('second version')).toHaveLength(3);
  });

  test('of one chat holds that chat alone', () => {
    const source = openStore();
    const wanted = addTrickyChat(source, 'One');
    addTrickyChat(source, 'Two');
    const target = openStore();
    importChats(target, exportChats(source, format, [wanted.id]));
    expect(target.list().map(({ id }) => id)).toEqual([wanted.id]);
    expect(() => exportChats(source, format, ['nothing'])).toThrow('does not exist');
  });

  test('imported twice adds nothing; a chat that went on since is added as a copy', () => {
    const store = openStore();
    const chat = addTrickyChat(store, 'One');
    const text = exportChats(store, format);
    expect(importChats(store, text)).toEqual({ imported: 0, copied: 0, skipped: 1 });
    store.update(chat.id, { draft: 'changed' });
    expect(importChats(store, text)).toEqual({ imported: 0, copied: 1, skipped: 0 });
    expect(store.list()).toHaveLength(2);
    const copy = store.get(store.list().find(({ id }) => id !== chat.id)?.id ?? '');
    expect(copy.messages.map(({ content }) => content)).toEqual(chat.messages.map(({ content }) => content));
    expect(new Set([...copy.messages, ...chat.messages].map(({ id }) => id)).size).toBe(chat.messages.length * 2);
    const places = ({ messages }: Chat) => messages.map((m) => messages.findIndex(({ id }) => id === m.parentId));
    expect(places(copy)).toEqual(places(chat));
    const cutPlace = ({ messages }: Chat) => messages.findIndex(({ id }) => id === messages.at(-1)?.cut?.firstId);
    expect([cutPlace(copy), cutPlace(chat)]).toEqual([2, 2]);
    expect(store.get(chat.id).draft).toBe('changed');
  });

  test('a deleted chat comes back from its export', () => {
    const store = openStore();
    const chat = addTrickyChat(store, 'One');
    const text = exportChats(store, format);
    store.remove(chat.id);
    importChats(store, text);
    expect(store.list().map(({ title }) => title)).toEqual(['One']);
  });
});

describe('what is no export', () => {
  test.each([
    ['half a file', '{"format": "nemoflash-chats", "chats": [', 'not a whole JSON file'],
    ['other JSON', '{"conversations": []}', 'not an export of Nemoflash: format'],
    [
      'a message without a role',
      JSON.stringify({
        format: 'nemoflash-chats',
        version: 1,
        chats: [{ id: 'a', title: '', messages: [{ id: 'm', content: '' }] }],
      }),
      'chats.0.messages.0.role',
    ],
    ['a newer format', '{"format": "nemoflash-chats", "version": 2, "chats": []}', 'newer Nemoflash'],
    ['other Markdown', '<!-- hello -->\n\n# Title\n', 'There is no chat near line 1'],
    ['plain text', 'hello', 'not a whole JSON file'],
  ])('%s is refused with a reason, and adds nothing', (_, text, reason) => {
    const store = openStore();
    expect(() => importChats(store, text)).toThrow(reason);
    expect(store.list()).toEqual([]);
  });

  test('Markdown that somebody edited is refused and names the line', () => {
    const store = openStore();
    addTrickyChat(store, 'One');
    const text = exportChats(store, 'markdown').replace('a second version', 'a 2nd version');
    expect(() => importChats(openStore(), text)).toThrow(/length it was written with near line \d+/);
  });
});

test('an answer in the making is exported as interrupted', () => {
  const store = openStore();
  const chat = store.create({ systemPrompt: '', sampling: defaultSampling });
  const base = { id: 'a', chatId: chat.id, parentId: null, createdAt: 1, error: null, stats: null };
  store.begin(chat.id, null, { ...base, role: 'assistant', content: 'half', status: 'streaming' });
  const target = openStore();
  importChats(target, exportChats(store, 'json'));
  expect(target.get(chat.id).messages[0]?.status).toBe('interrupted');
});
