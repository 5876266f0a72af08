import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';

import { register } from '../../main/commands/chats.ts';
import { defaultSampling } from '../../main/contract/domain.ts';
import type { Message } from '../../main/contract/domain.ts';
import { openHistorySync } from '../../main/history/history.ts';
import { makeHomeSync, resolveHome } from '../../main/home.ts';
import type { Home } from '../../main/home.ts';
import { silentLog } from '../../main/log.ts';

let home: Home;

/** Runs `nemoflash chats …` on the home of the test; returns what it printed. */
async function chats(...args: readonly string[]): Promise<string> {
  let output = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += String(text);
    return true;
  });
  try {
    const program = new Command().exitOverride();
    register(program);
    await program.parseAsync(['chats', ...args, '--home', home.root], { from: 'user' });
  } finally {
    write.mockRestore();
  }
  return output;
}

beforeEach(() => {
  const folder = mkdtempSync(path.join(tmpdir(), 'nemoflash-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  home = makeHomeSync(resolveHome(folder));
});

/** A running app with one chat in it. */
function runningApp() {
  const history = openHistorySync(home, silentLog);
  onTestFinished(() => history.close());
  const chat = history.chats.create({ systemPrompt: '', sampling: defaultSampling });
  const base = { chatId: chat.id, createdAt: 1, error: null, stats: null };
  const user: Message = {
    ...base,
    id: 'q',
    parentId: null,
    role: 'user',
    content: 'Where is New York?',
    status: 'complete',
  };
  const answer: Message = {
    ...base,
    id: 'a',
    parentId: 'q',
    role: 'assistant',
    content: 'In the',
    status: 'streaming',
  };
  history.chats.begin(chat.id, user, answer);
  return { history, chatId: chat.id };
}

test('the commands work beside a running app and leave its answer alone', async () => {
  const { history, chatId } = runningApp();
  expect(JSON.parse(await chats('list', '--json'))).toEqual(history.chats.list());
  expect(await chats('list')).toContain('Where is New York?');
  expect(JSON.parse(await chats('search', 'new', 'york', '--json'))).toEqual(await history.chats.search('new york'));
  expect(await chats('search', 'absent')).toBe('Nothing was found.\n');
  expect(history.chats.get(chatId).messages[1]?.status).toBe('streaming');
  history.chats.checkpoint('a', 'In the east');
  expect(history.chats.get(chatId).messages[1]?.content).toBe('In the east');
});

test('what is exported on one machine is imported on another', async () => {
  const { history, chatId } = runningApp();
  const out = path.join(home.root, 'chats.md');
  expect(await chats('export', chatId, '--format', 'markdown', '--out', out)).toBe('');
  const json = path.join(home.root, 'chats.json');
  writeFileSync(json, await chats('export', '--json'));
  expect(readFileSync(out, 'utf8')).toContain('Where is New York?');
  await history.close();

  home = makeHomeSync(resolveHome(path.join(home.root, 'other')));
  const report: unknown = JSON.parse(await chats('import', out, json, '--json'));
  expect(report).toEqual({ imported: 1, copied: 0, skipped: 1 });
  expect(await chats('list')).toContain(chatId);
});

test('bad input is a sentence that names the file', async () => {
  const bad = path.join(home.root, 'bad.json');
  writeFileSync(bad, '{"a": 1}');
  await expect(chats('import', bad)).rejects.toThrow(/bad\.json: This is not an export of Nemoflash/);
  await expect(chats('import', path.join(home.root, 'none'))).rejects.toThrow(/none cannot be read \(ENOENT\)/);
  await expect(chats('export', 'nothing')).rejects.toThrow('does not exist');
  await expect(chats('export', '--out', path.join(home.root, 'no', 'x'))).rejects.toThrow(
    /cannot be written \(ENOENT\)/,
  );
});

test('a damaged history is refused and left for the app to repair', async () => {
  writeFileSync(home.historyFile, 'broken '.repeat(1000));
  await expect(chats('list')).rejects.toThrow(/damaged\. Start Nemoflash/);
  expect(readFileSync(home.historyFile, 'utf8')).toBe('broken '.repeat(1000));
  expect(readdirSync(home.damagedFolder)).toEqual([]);
});
