import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';

import { defaultContextPolicy, defaultSampling } from '../../../main/contract/domain.ts';
import { readChatHeader, readMessage, readMessages } from '../../../main/history/rows.ts';
import { fakeStats } from '../chat/fakeEngine.ts';
import { openTestHistory, testHome } from './testHome.ts';

const good = {
  id: 'a',
  chat_id: 'c',
  parent_id: null,
  role: 'user',
  content: 'text',
  created_at: 5,
  status: 'complete',
  error: null,
  stats: null,
};

describe('reading rows', () => {
  test.each([
    ['a role of a newer version', { role: 'tool' }, { role: 'assistant' }],
    ['a status of a newer version', { status: 'archived' }, { status: 'complete' }],
    ['a content that is no text', { content: null }, { content: '' }],
    ['a date that is no number', { created_at: 'yesterday' }, { createdAt: 0 }],
    ['stats cut in the middle', { stats: '{"promptTokens": 4, ' }, { stats: null }],
    [
      'stats with a null where a number was',
      { stats: JSON.stringify({ ...fakeStats(2, 'stop'), outputTokens: null }) },
      { stats: null },
    ],
    ['an error that is a list', { error: '[1]' }, { error: null }],
    [
      'an error with a code of a newer version',
      { error: '{"code":"NEW_ONE","message":"m","retryable":true}' },
      { error: { code: 'INTERNAL', message: 'm', retryable: true } },
    ],
  ])('%s does not cost the message', (_, bad, expected) => {
    expect(readMessage({ ...good, ...bad })).toMatchObject({ id: 'a', chatId: 'c', ...expected });
  });

  test('stats keep what they need when only a part is unknown', () => {
    const stats = { ...fakeStats(2, 'stop'), itlNs: 'broken', added: 1 };
    expect(readMessage({ ...good, stats: JSON.stringify(stats) })?.stats).toEqual({
      ...fakeStats(2, 'stop'),
      itlNs: null,
    });
  });

  test('a row without identity is left out', () => {
    expect(readMessage({ ...good, id: null })).toBeNull();
    expect(readMessage({ ...good, chat_id: 3 })).toBeNull();
  });

  test('messages that lost their parent, or claim a later one, become roots; doubles are left out', () => {
    const rows = [
      { ...good, id: 'a', parent_id: 'b' },
      { ...good, id: 'b', parent_id: 'gone' },
      { ...good, id: 'c', parent_id: 'c' },
      { ...good, id: 'd', parent_id: 'a' },
      { ...good, id: 'd', parent_id: 'b' },
    ];
    expect(readMessages(rows).map(({ id, parentId }) => [id, parentId])).toEqual([
      ['a', null],
      ['b', null],
      ['c', null],
      ['d', 'a'],
    ]);
  });

  test('a chat with bad sampling keeps the good fields', () => {
    const header = readChatHeader({ id: 'c', title: 7, sampling: '{"temperature": 50, "topK": 3}', pinned: 'yes' });
    expect(header).toMatchObject({ title: '', pinned: false, sampling: { ...defaultSampling, topK: 3 } });
    expect(readChatHeader({ id: 'c', sampling: 'nonsense' })?.sampling).toEqual(defaultSampling);
  });

  test('a policy or a cut that cannot be read gives way, and a good field of it stays', () => {
    const policy = (context: string) => readChatHeader({ id: 'c', context })?.context;
    expect(policy('{"kind": "forget", "keepTurns": 3}')).toEqual({ ...defaultContextPolicy, keepTurns: 3 });
    expect(policy('{')).toEqual(defaultContextPolicy);
    const row = { id: 'm', chat_id: 'c', role: 'assistant', content: 'x', status: 'complete' };
    const cut = (text: string) => readMessages([{ ...row, cut: text }])[0]?.cut;
    expect(cut('{"firstId": "a", "droppedMessages": 2, "summary": 7}')).toEqual({
      firstId: 'a',
      droppedMessages: 2,
      summary: null,
    });
    expect(cut('{"firstId": ""}')).toBeUndefined();
  });

  test('a chat opens with every one of its rows damaged but one', async () => {
    const home = testHome();
    const history = openTestHistory(home);
    const chat = history.chats.create({ systemPrompt: '', sampling: defaultSampling });
    await history.close();
    const connection = new DatabaseSync(home.historyFile);
    const insert = connection.prepare(
      `INSERT INTO messages (id, chat_id, parent_id, role, content, created_at, status, error, stats)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    insert.run('good', chat.id, null, 'user', 'hello', 1, 'complete', null, null);
    insert.run('', chat.id, 'nobody', 'x', new Uint8Array(4), 'never', 'y', '{', '[]');
    insert.run('bad', chat.id, 'good', '?', new Uint8Array(4), 'never', '?', '{', 'null');
    connection.prepare('UPDATE chats SET sampling = ?, leaf_id = ?').run('{', 'nobody');
    connection.close();
    const opened = openTestHistory(home).chats.get(chat.id);
    expect(opened.messages.map(({ id, content }) => [id, content])).toEqual([
      ['good', 'hello'],
      ['bad', ''],
    ]);
    expect(opened.leafId).toBe('bad');
  });
});
