import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';

import { openHistorySync } from '../../main/history/history.ts';
import { isSound } from '../../main/history/integrity.ts';
import { makeHomeSync, resolveHome } from '../../main/home.ts';
import type { Home } from '../../main/home.ts';
import { silentLog } from '../../main/log.ts';

const kills = 100;
const homes = 4;
/** What may be lost: a second, by the writer's clock. A busy machine may have let it stand still for longer than that. */
const mayBeLostMs = 1000 + 5;
const writer = path.join(import.meta.dirname, 'historyWriter.ts');
const wordsOf = (length: number) =>
  Array.from({ length: 700 }, (_, index) => `${index} `)
    .join('')
    .slice(0, length);

type Line = readonly string[];

/** Lets the writer run to a random moment after its first line, and kills it there. */
async function runAndKill(home: Home, seed: number, afterMs: number): Promise<readonly Line[]> {
  const child = spawn(process.execPath, [writer, home.root, String(seed)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let problems = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (problems += text));
  const started = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      resolve();
    });
  });
  const exited = new Promise<NodeJS.Signals | null>((resolve) => {
    child.on('close', (_code, signal) => resolve(signal));
  });
  await Promise.race([started, exited]);
  await sleep(afterMs);
  child.kill('SIGKILL');
  expect(await exited, problems).toBe('SIGKILL');
  // A line without its end was cut by the kill.
  const lines = output.split('\n').slice(0, -1);
  return lines.map((line) => line.split('\t'));
}

/** Every line that was printed must still be true. Returns the number of facts looked at. */
function checkNothingLost(home: Home, lines: readonly Line[]): number {
  expect(isSound(home.historyFile)).toBe(true);
  const history = openHistorySync(home, silentLog);
  expect(history.notice).toBeNull();
  const chats = history.chats.list().map(({ id }) => history.chats.get(id));
  const messages = new Map(chats.flatMap((chat) => chat.messages).map((message) => [message.id, message]));
  const lastDraft = lines.findLast(([kind]) => kind === 'draft');
  const lastSent = lines.findLastIndex(([kind]) => kind === 'sent');
  const lastTurnAt = Number(lines.findLast(([kind]) => kind === 'turn')?.[1] ?? 0);
  for (const [index, [kind, id = '', value = '', extra = '']] of lines.entries()) {
    if (kind === 'sent') {
      expect(messages.get(id)).toMatchObject({ role: 'user', content: extra, status: 'complete' });
      expect(messages.get(value)).toMatchObject({ role: 'assistant', parentId: id });
    } else if (kind === 'finished') {
      expect(messages.get(id)).toMatchObject({ status: 'complete', content: wordsOf(Number(value)) });
    } else if (kind === 'text' && Number(extra) <= lastTurnAt - mayBeLostMs) {
      expect(messages.get(id)?.content.length).toBeGreaterThanOrEqual(Number(value));
    } else if (kind === 'draft' && lines[index] === lastDraft && index > lastSent) {
      // Either still the draft, or already the message that was being sent when the kill came.
      const chat = chats.find((candidate) => candidate.id === id);
      expect([value, '']).toContain(chat?.draft);
      if (chat?.draft === '') expect(chat.messages.at(-1)?.status).toBe('streaming');
    }
  }
  for (const message of messages.values()) {
    if (message.role === 'assistant') expect(message.content).toBe(wordsOf(message.content.length));
  }
  history.database.close();
  return lines.length;
}

test(`a program killed at ${kills} random moments loses nothing it had committed, and at most a second of text`, async () => {
  const seed = Date.now() % 100_000;
  console.log(`seed ${seed}`);
  const facts = await Promise.all(
    Array.from({ length: homes }, async (_, lane) => {
      const folder = mkdtempSync(path.join(tmpdir(), 'nemoflash-kill-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const home = makeHomeSync(resolveHome(folder));
      let seen = 0;
      for (let round = 0; round < kills / homes; round++) {
        // Most kills come soon after the start, one in five after several checkpoints.
        const afterMs = round % 5 === 0 ? 1500 + Math.random() * 1500 : Math.random() * 400;
        seen += checkNothingLost(home, await runAndKill(home, seed + lane * 1000 + round, afterMs));
      }
      return seen;
    }),
  );
  console.log(`${facts.reduce((sum, count) => sum + count, 0)} facts hold after ${kills} kills`);
  expect(Math.min(...facts)).toBeGreaterThan(100);
});
