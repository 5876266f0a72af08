import { rmSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ChatService } from '../../main/chat/chatService.ts';
import { defaultSampling, defaultSettings } from '../../main/contract/domain.ts';
import type { Message } from '../../main/contract/domain.ts';
import { createEngineService } from '../../main/engine/engineService.ts';
import { openHistorySync } from '../../main/history/history.ts';
import { makeHomeSync, resolveHome } from '../../main/home.ts';
import { silentLog } from '../../main/log.ts';
import { freshFolder } from '../support/home.ts';
import { writeTinyCheckpoint } from '../support/tinyCheckpoint.ts';

const root = freshFolder('typing');
const tiny = path.join(root, 'tiny');
const engine = createEngineService();
const history = openHistorySync(makeHomeSync(resolveHome(path.join(root, 'home'))), silentLog);
const settings = {
  current: {
    ...defaultSettings,
    prefillWhileTyping: true,
    sampling: { ...defaultSampling, temperature: 0, maxNewTokens: 8, seed: 1 },
  },
};
const finished: Message[] = [];
const chats = new ChatService({
  engine,
  store: history.chats,
  settings,
  log: silentLog,
  publish: () => undefined,
  onAnswered: (answer) => void finished.push(answer),
});

async function send(chatId: string, parentId: string | null, content: string): Promise<Message> {
  const before = finished.length;
  chats.send({ chatId, parentId, content });
  await expect.poll(() => finished.length).toBe(before + 1);
  const answer = finished.at(-1);
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

const read = ({ stats }: Message) => (stats?.promptTokens ?? 0) - (stats?.reusedTokens ?? 0);
/** Where the conversation stood behind an answer: the last token is not consumed until somebody goes on. */
const known = ({ stats }: Message) => (stats?.promptTokens ?? 0) + (stats?.outputTokens ?? 0) - 1;
const words = 'Where is New York, and what is it like there in winter? '.repeat(6);

beforeAll(async () => {
  writeTinyCheckpoint(tiny);
  await engine.load({ source: tiny, format: 'f32', contextPositions: 4096 });
});
afterAll(async () => {
  await chats.dispose();
  await engine.dispose();
  await history.close();
  rmSync(root, { recursive: true });
});

describe('reading while typing', () => {
  it('leaves the last word and the header to read after Enter, and an edit goes back without harm', async () => {
    const chatId = chats.create().id;
    const first = await send(chatId, null, 'Hi');
    const typed: number[] = [];
    for (const share of [0.3, 0.6, 1]) {
      const content = words.slice(0, Math.floor(words.length * share));
      typed.push((await chats.prepare({ chatId, parentId: first.id, content, whole: false })).readTokens);
    }
    expect(typed.toSorted((a, b) => a - b)).toEqual(typed);
    const answer = await send(chatId, first.id, words);
    expect(answer.stats?.reusedTokens).toBe(typed[2]);
    expect(read(answer)).toBeLessThan(30);
    // The first exchange was known before; everything else of the message was read while it was typed.
    expect(answer.stats?.typedTokens).toBe((typed[2] ?? 0) - known(first));

    // Another beginning: back to before the draft, whose conversation is not read again.
    await chats.prepare({ chatId, parentId: answer.id, content: `${words} one way`, whole: true });
    await chats.prepare({ chatId, parentId: answer.id, content: `No: ${words} another`, whole: false });
    const edited = await send(chatId, answer.id, `No: ${words} another way`);
    expect(read(edited)).toBeLessThan(30);

    // Whoever rests before Enter finds everything read; whoever types on after a rest has lost the last word alone.
    const rested = { chatId, parentId: edited.id, content: `${words} at rest`, whole: true };
    await chats.prepare(rested);
    await chats.prepare({ ...rested, content: `${words} at rest and on`, whole: true });
    expect(read(await send(chatId, edited.id, `${words} at rest and on`))).toBe(0);
    await chats.prepare(rested);
    expect(read(await send(chatId, edited.id, `${words} at rest, or not`))).toBeLessThan(30);

    settings.current = { ...settings.current, prefillWhileTyping: false };
    expect(await chats.prepare({ chatId, parentId: null, content: words, whole: false })).toEqual({ readTokens: 0 });
    await engine.unload();
    await engine.load({ source: tiny, format: 'f32', contextPositions: 4096 });
    const plain = await send(chatId, answer.id, `No: ${words} another way`);
    expect(read(plain)).toBe(plain.stats?.promptTokens);
    expect(plain.stats?.typedTokens).toBeUndefined();
    expect(plain.content).toBe(edited.content);
  });
});
