/** Chats out of the store and into it. */
import { randomUUID } from 'node:crypto';

import type { Chat } from '../contract/domain.ts';
import type { ChatStore } from './chatStore.ts';
import { portable, readJson, writeJson } from './exchangeJson.ts';
import { readMarkdown, writeMarkdown } from './exchangeMarkdown.ts';
import { soundTree } from './messageTree.ts';
import type { PortableChat } from './schemas.ts';

export const exchangeFormats = ['json', 'markdown'] as const;
export type ExchangeFormat = (typeof exchangeFormats)[number];

export interface ImportReport {
  /** Chats that were new here. */
  readonly imported: number;
  /** Chats whose id was taken by a different one: added beside it under a new id. */
  readonly copied: number;
  /** Chats that were here already, word for word. */
  readonly skipped: number;
}

/** The chats with these ids, or all of them, oldest first. Throws NOT_FOUND. */
export function exportChats(store: ChatStore, format: ExchangeFormat, chatIds: readonly string[] = []): string {
  const ids = chatIds.length > 0 ? chatIds : store.list().map(({ id }) => id);
  const chats = ids.map((id) => store.get(id)).sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  return format === 'json' ? writeJson(chats) : writeMarkdown(chats);
}

/** Either format, told apart by the text itself. Nothing that is here is ever changed. Throws BAD_REQUEST, UNSUPPORTED. */
export function importChats(store: ChatStore, text: string): ImportReport {
  const chats = text.startsWith('<!--') ? readMarkdown(text) : readJson(text);
  const report = { imported: 0, copied: 0, skipped: 0 };
  const live = new Set(store.list().map(({ id }) => id));
  for (const chat of chats.map(withSoundTree)) {
    if (live.has(chat.id) && isSame(store.get(chat.id), chat)) {
      report.skipped++;
      continue;
    }
    const taken = store.hasChat(chat.id) || chat.messages.some(({ id }) => store.hasMessage(id));
    store.insert(taken ? withNewIds(chat) : chat);
    if (!taken) live.add(chat.id);
    report[taken ? 'copied' : 'imported']++;
  }
  return report;
}

function withSoundTree(chat: PortableChat): Chat {
  const messages = soundTree(chat.messages).map((message) => ({ ...message, chatId: chat.id }));
  const leafId = messages.some(({ id }) => id === chat.leafId) ? chat.leafId : (messages.at(-1)?.id ?? null);
  return { ...chat, leafId, messages };
}

function isSame(a: Chat, b: Chat): boolean {
  return JSON.stringify(portable(a)) === JSON.stringify(portable(b));
}

function withNewIds(chat: Chat): Chat {
  const chatId = randomUUID();
  const ids = new Map(chat.messages.map(({ id }) => [id, randomUUID() as string]));
  const renamed = (id: string | null) => (id === null ? null : (ids.get(id) ?? null));
  const messages = chat.messages.map((message) => ({
    ...message,
    chatId,
    id: ids.get(message.id) ?? randomUUID(),
    parentId: renamed(message.parentId),
    ...(message.cut && { cut: { ...message.cut, firstId: renamed(message.cut.firstId) ?? '' } }),
  }));
  return { ...chat, id: chatId, leafId: renamed(chat.leafId), messages };
}
