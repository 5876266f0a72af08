import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';

import { defaultSampling } from '../../../main/contract/domain.ts';
import type { Message } from '../../../main/contract/domain.ts';
import { Backups, backupNames } from '../../../main/history/backups.ts';
import type { History } from '../../../main/history/history.ts';
import { isSound } from '../../../main/history/integrity.ts';
import type { Home } from '../../../main/home.ts';
import { silentLog } from '../../../main/log.ts';
import { openTestHistory, testHome } from './testHome.ts';

const dayMs = 24 * 3600 * 1000;

/** A chat with `count` messages of about 1 kB, so that the file has many pages. */
function addChat({ chats }: History, title: string, count = 40): string {
  const chat = chats.create({ systemPrompt: '', sampling: defaultSampling });
  const id = `${title} chat`;
  const messages = Array.from({ length: count }, (_, index): Message => {
    const content = `${title} ${index} ${'lorem ipsum '.repeat(80)}`;
    const base = { id: `${title}-${index}`, chatId: id, parentId: null, createdAt: index, error: null, stats: null };
    return { ...base, role: 'assistant', content, status: 'complete' };
  });
  chats.insert({ ...chat, id, title, messages });
  chats.remove(chat.id);
  return id;
}

const titles = ({ chats }: History) => chats.list().map(({ title }) => title);

/** Overwrites part of a file with noise, as a failing disk would. */
function damage(file: string, start: number, length: number): void {
  const bytes = readFileSync(file);
  bytes.fill(0xa5, start, Math.min(bytes.length, start + length));
  writeFileSync(file, bytes);
}

/** A home with yesterday's backup of the chat 'backed up' and a chat 'newer' since then; closed. */
async function homeWithBackup(): Promise<Home> {
  const home = testHome();
  const yesterday = openTestHistory(home, { now: () => Date.now() - dayMs });
  addChat(yesterday, 'backed up');
  expect(await yesterday.backups.runIfDue()).toBe(true);
  addChat(yesterday, 'newer');
  await yesterday.close();
  return home;
}

describe('a damaged history', () => {
  test.each([
    ['became zeros', (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size))],
    ['is something else', (file: string) => writeFileSync(file, 'not a database '.repeat(500))],
    ['lost its header', (file: string) => damage(file, 0, 100)],
    ['lost its schema', (file: string) => damage(file, 100, 3900)],
    ['was emptied', (file: string) => truncateSync(file, 0)],
  ])('that %s is set aside, and the backup put back', async (_, harm) => {
    const home = await homeWithBackup();
    harm(home.historyFile);
    const bytes = readFileSync(home.historyFile);
    const repaired = openTestHistory(home);
    expect(titles(repaired)).toContain('backed up');
    expect(repaired.notice).toMatch(/damaged\. The backup of \d{4}-\d\d-\d\d was put back/);
    const [aside] = readdirSync(home.damagedFolder);
    expect(repaired.notice).toContain(aside);
    expect(readFileSync(`${home.damagedFolder}/${aside}`).equals(bytes)).toBe(true);
    await repaired.close();
    expect(openTestHistory(home).notice).toBeNull();
  });

  test('gives back what can still be read of what came after the backup', async () => {
    const home = await homeWithBackup();
    const { size } = statSync(home.historyFile);
    // Pages near the end hold the newest messages.
    damage(home.historyFile, Math.floor(size * 0.7), 4096 * 3);
    const repaired = openTestHistory(home);
    expect(repaired.notice).toMatch(/and \d+ more messages were saved/);
    expect(titles(repaired).toSorted()).toEqual(['backed up', 'newer']);
    const count = (title: string) => {
      const chat = repaired.chats.list().find((summary) => summary.title === title);
      return chat ? repaired.chats.get(chat.id).messages.length : 0;
    };
    expect(count('backed up')).toBe(40);
    expect(count('newer')).toBeGreaterThan(20);
    // The index is not copied but made anew.
    expect((await repaired.chats.search('up 39')).map(({ messageId }) => messageId)).toEqual(['backed up-39']);
  });

  test('without any backup starts afresh with what can be read, and says so', async () => {
    const home = testHome();
    const history = openTestHistory(home);
    addChat(history, 'only here');
    await history.close();
    damage(home.historyFile, Math.floor(statSync(home.historyFile).size * 0.7), 4096);
    const repaired = openTestHistory(home);
    expect(repaired.notice).toContain('There was no backup');
    expect(repaired.notice).toMatch(/\d+ more messages/);
    expect(titles(repaired)).toEqual(['only here']);
  });

  test('passes over a damaged backup to the one before', async () => {
    const home = await homeWithBackup();
    const [name] = backupNames(home.backupsFolder);
    const newest = `${home.backupsFolder}/chats-2099-01-01.db`;
    copyFileSync(`${home.backupsFolder}/${name}`, newest);
    damage(newest, 8192, 4096);
    writeFileSync(home.historyFile, 'broken'.repeat(1000));
    const repaired = openTestHistory(home);
    expect(repaired.notice).toContain(`The backup of ${name?.slice(6, 16)}`);
    expect(titles(repaired)).toEqual(['backed up']);
  });

  test('that shows itself only in use is an error with advice then, and repaired at the next start', async () => {
    const home = await homeWithBackup();
    const history = openTestHistory(home);
    const chat = history.chats.list().find(({ title }) => title === 'newer');
    // Behind the app's back, and with its page cache dropped.
    damage(home.historyFile, 4096, statSync(home.historyFile).size);
    history.database.exec('PRAGMA shrink_memory');
    expect(() => history.chats.get(chat?.id ?? '')).toThrow(/damaged. Start Nemoflash again/);
    expect(existsSync(`${home.historyFile}.check`)).toBe(true);
    await history.close();
    const repaired = openTestHistory(home);
    expect(titles(repaired)).toContain('backed up');
    expect(existsSync(`${home.historyFile}.check`)).toBe(false);
  });

  test('a file that cannot be opened at all is an error, and nothing is set aside', () => {
    const home = testHome();
    const missing = { ...home, historyFile: `${home.root}/no/such/folder/chats.db` };
    expect(() => openTestHistory(missing)).toThrow(/cannot be opened/);
    expect(readdirSync(home.damagedFolder)).toEqual([]);
  });
});

describe('backups', () => {
  test('are made once a day, of a history in use, and only when there is something to keep', async () => {
    let now = Date.parse('2026-03-01T10:00:00Z');
    const home = testHome();
    const history = openTestHistory(home, { now: () => now });
    expect(await history.backups.runIfDue()).toBe(false);
    addChat(history, 'chat');
    expect(await history.backups.runIfDue()).toBe(true);
    expect(await history.backups.runIfDue()).toBe(false);
    now += dayMs;
    addChat(history, 'second');
    const [made] = await Promise.all([history.backups.runIfDue(), history.backups.runIfDue()]);
    expect(made).toBe(true);
    expect(readdirSync(home.backupsFolder)).toEqual(['chats-2026-03-01.db', 'chats-2026-03-02.db']);
    const copy = `${home.backupsFolder}/chats-2026-03-02.db`;
    expect(isSound(copy)).toBe(true);
    const connection = new DatabaseSync(copy, { readOnly: true });
    expect(connection.prepare('SELECT count(*) AS n FROM messages').get()).toEqual({ n: 80 });
    connection.close();
  });

  test('the newest seven stay', async () => {
    let now = Date.parse('2026-03-01T10:00:00Z');
    const home = testHome();
    const history = openTestHistory(home, { now: () => now });
    addChat(history, 'chat', 1);
    for (let day = 0; day < 10; day++, now += dayMs) await history.backups.runIfDue();
    expect(readdirSync(home.backupsFolder).map((name) => name.slice(6, 16))).toEqual(
      ['04', '05', '06', '07', '08', '09', '10'].map((day) => `2026-03-${day}`),
    );
  });

  test('together never exceed their cap: old ones go, and one that alone is too large is not made', async () => {
    let now = Date.parse('2026-03-01T10:00:00Z');
    const home = testHome();
    const history = openTestHistory(home, { now: () => now });
    addChat(history, 'chat');
    const { database } = history;
    const sizeBytes = Number(database.get('PRAGMA page_count')?.['page_count']) * 4096;
    const capped = (capBytes: number) =>
      new Backups({ database, folder: home.backupsFolder, log: silentLog, capBytes, now: () => now });
    const roomForTwo = capped(sizeBytes * 2.5);
    for (let day = 0; day < 4; day++, now += dayMs) expect(await roomForTwo.runIfDue()).toBe(true);
    expect(readdirSync(home.backupsFolder)).toEqual(['chats-2026-03-03.db', 'chats-2026-03-04.db']);
    expect(await capped(sizeBytes / 2).runIfDue()).toBe(false);
    expect(readdirSync(home.backupsFolder)).toHaveLength(2);
  });

  test('a damaged history never replaces a good backup, and is looked at closely at the next start', async () => {
    const home = await homeWithBackup();
    const before = readdirSync(home.backupsFolder);
    const history = openTestHistory(home);
    damage(home.historyFile, Math.floor(statSync(home.historyFile).size * 0.7), 4096 * 3);
    expect(await history.backups.runIfDue()).toBe(false);
    expect(readdirSync(home.backupsFolder)).toEqual(before);
    expect(existsSync(`${home.historyFile}.check`)).toBe(true);
  });
});
