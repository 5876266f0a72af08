/** The chats of the fake bridge: kept in memory, answered with the words of a scene. */
import { defaultContextPolicy, defaultSampling } from '../../../main/contract/domain.ts';
import type { Chat, GenerationStats, Message, TokenTiming } from '../../../main/contract/domain.ts';
import type { EventName, Events } from '../../../main/contract/ipcEvents.ts';

export interface FakeRun {
  readonly generationId: string;
  readonly chatId: string;
  readonly messageId: string;
  text: string;
  stopped: boolean;
}

/** What a scene says about answers. */
export interface Answering {
  /** Words the next answers consist of. */
  answer: string;
  wordsPerFrame: number;
  /** Frames wait until release() is called. */
  hold: boolean;
}

export type Input = Record<string, never> & Record<string, unknown>;
export type Handler = (input: Input) => unknown;
export const text = (value: unknown): string => String(value);

export const now = 1_790_000_000_000;
let lastId = 0;
export const nextId = (prefix: string): string => `${prefix}${(lastId += 1)}`;

export function stats(partial: Partial<GenerationStats> = {}): GenerationStats {
  return {
    promptTokens: 4901,
    reusedTokens: 4812,
    prefillNs: 21_000_000,
    ttftNs: 42_000_000,
    queueNs: 180_000,
    outputTokens: 512,
    decodeNs: 1_638_000_000,
    itlNs: { p50: 3_100_000, p95: 3_300_000, p99: 3_600_000, max: 9_400_000 },
    finishReason: 'stop',
    seed: 1234567,
    device: 'cuda',
    format: 'int4',
    ...partial,
  };
}

export function timings(total: number): TokenTiming[] {
  let stampNs = 0;
  let noise = 7;
  return Array.from({ length: total }, (_, index) => {
    noise = (noise * 16807) % 2147483647;
    stampNs += 3_000_000 + (noise % 260_000) + (index % 97 === 96 ? 4_000_000 : 0);
    return { stampNs, forwardNs: 2_800_000, sampleNs: 90_000 };
  });
}

export function message(partial: Partial<Message> & { readonly id: string; readonly chatId: string }): Message {
  return {
    parentId: null,
    role: 'user',
    content: '',
    createdAt: now + (lastId += 1),
    status: 'complete',
    error: null,
    stats: null,
    ...partial,
  };
}

/** `defaults`: what a new chat begins with. */
export function fakeChats(
  emit: <E extends EventName>(event: E, payload: Events[E]) => void,
  answering: () => Answering,
  defaults: () => Pick<Chat, 'sampling'>,
) {
  const chats = new Map<string, Chat>();
  const removed = new Map<string, Chat>();
  const runs: FakeRun[] = [];

  function summaries() {
    return [...chats.values()].map(({ id, title, createdAt, updatedAt, pinned }) => ({
      id,
      title,
      createdAt,
      updatedAt,
      pinned,
    }));
  }

  function put(changed: Message): void {
    const chat = chats.get(changed.chatId);
    if (chat === undefined) return;
    const messages = [...chat.messages.filter((entry) => entry.id !== changed.id), changed];
    chats.set(chat.id, { ...chat, messages, leafId: changed.id, updatedAt: chat.updatedAt + 1 });
  }

  function addChat(partial: Partial<Chat> & { readonly id: string }): Chat {
    const chat: Chat = {
      title: '',
      createdAt: now,
      updatedAt: now,
      pinned: false,
      systemPrompt: '',
      context: defaultContextPolicy,
      sampling: defaultSampling,
      draft: '',
      leafId: null,
      messages: [],
      ...partial,
    };
    chats.set(chat.id, chat);
    return chat;
  }

  function finish(run: FakeRun, reason: GenerationStats['finishReason']): void {
    const chat = chats.get(run.chatId);
    const answer = chat?.messages.find((entry) => entry.id === run.messageId);
    if (answer === undefined) return;
    const done: Message = {
      ...answer,
      content: run.text,
      status: 'complete',
      stats: stats({ finishReason: reason, outputTokens: run.text.split(' ').length }),
    };
    put(done);
    emit('chat.finished', { generationId: run.generationId, message: done });
  }

  function stream(run: FakeRun): void {
    const words = answering().answer.split(/(?<=\s)/);
    const all = timings(words.length);
    const total = 88;
    const ids = { generationId: run.generationId, chatId: run.chatId, messageId: run.messageId };
    emit('chat.prefill', { ...ids, doneTokens: total, totalTokens: total, reusedTokens: 4812, elapsedNs: 21_000_000 });
    let at = 0;
    const step = (): void => {
      if (run.stopped) return finish(run, 'cancelled');
      if (answering().hold) return void setTimeout(step, 10);
      if (at >= words.length) return finish(run, 'stop');
      const text = words.slice(at, at + answering().wordsPerFrame).join('');
      run.text += text;
      emit('chat.tokens', {
        ...ids,
        text,
        timings: all.slice(at, at + answering().wordsPerFrame),
        sentAt: performance.timeOrigin + performance.now(),
      });
      at += answering().wordsPerFrame;
      setTimeout(step, 16);
    };
    setTimeout(step, 16);
  }

  function startRun(chatId: string, parentId: string | null) {
    const answer = message({ id: nextId('a'), chatId, parentId, role: 'assistant', status: 'streaming' });
    put(answer);
    const run: FakeRun = { generationId: nextId('g'), chatId, messageId: answer.id, text: '', stopped: false };
    runs.push(run);
    setTimeout(() => stream(run), 0);
    return { generationId: run.generationId, answer };
  }

  const handlers: Record<string, Handler> = {
    'chats.list': summaries,
    'chats.create': () => addChat({ id: nextId('c'), updatedAt: now + lastId, sampling: defaults().sampling }),
    'chats.get': (input) => chats.get(text(input['chatId'])),
    'chats.update': ({ chatId, ...patch }) => {
      const chat = { ...chats.get(text(chatId))!, ...patch } as Chat;
      chats.set(chat.id, chat);
      emit('chats.changed', summaries());
      return chat;
    },
    'chats.remove': (input) => {
      const id = text(input['chatId']);
      removed.set(id, chats.get(id)!);
      chats.delete(id);
      return null;
    },
    'chats.restore': (input) => {
      const chat = removed.get(text(input['chatId']))!;
      chats.set(chat.id, chat);
      return chat;
    },
    'chats.search': (input) =>
      [...chats.values()].flatMap((chat) =>
        chat.messages.flatMap((entry) => {
          const at = entry.content.toLowerCase().indexOf(text(input['query']).toLowerCase());
          if (at === -1) return [];
          const start = Math.max(0, at - 30);
          const snippet = entry.content.slice(start, at + 90);
          const matchStart = at - start;
          const matchEnd = matchStart + text(input['query']).length;
          return [{ chatId: chat.id, messageId: entry.id, title: chat.title, snippet, matchStart, matchEnd }];
        }),
      ),
    'chat.send': (input) => {
      const chatId = text(input['chatId']);
      const parentId = input['parentId'] === null ? null : text(input['parentId']);
      const user = message({ id: nextId('u'), chatId, parentId, content: text(input['content']) });
      put(user);
      const chat = chats.get(chatId);
      if (chat !== undefined && chat.title === '') chats.set(chatId, { ...chat, title: user.content.slice(0, 40) });
      const started = startRun(chatId, user.id);
      emit('chats.changed', summaries());
      return { ...started, user };
    },
    'chat.regenerate': (input) => {
      const chatId = text(input['chatId']);
      const before = chats.get(chatId)?.messages.find((entry) => entry.id === input['messageId']);
      return startRun(chatId, before?.parentId ?? null);
    },
    'chat.stop': (input) => {
      const run = runs.find((entry) => entry.generationId === input['generationId']);
      if (run !== undefined) run.stopped = true;
      return null;
    },
    'chat.branch': (input) => {
      const chatId = text(input['chatId']);
      const before = chats.get(chatId)?.messages.find((entry) => entry.id === input['messageId']);
      return startRun(chatId, before?.parentId ?? null);
    },
    'chat.timings': () => timings(512),
  };

  return {
    handlers,
    addChat,
    lastRun: (): FakeRun | null => runs.at(-1) ?? null,
    messages: (): readonly Message[] => [...chats.values()].flatMap((chat) => chat.messages),
  };
}
