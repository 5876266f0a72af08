/** The open chat and the answers being generated. Actions talk to main; what they change is in chatReducers. */
import { create } from 'zustand';

import type { ContextPolicy, Message, SamplingOptions } from '../../main/contract/domain.ts';
import type { Reply } from '../../main/contract/ipc.ts';
import { request } from '../bridge.ts';
import {
  initialChat,
  reduceClosed,
  reduceHead,
  reduceOpened,
  reduceSampling,
  reduceStarted,
  reduceStopping,
  reduceVersion,
  runFor,
  selectActiveRun,
} from './chatReducers.ts';
import type { ChatState, PendingSend } from './chatReducers.ts';
import { debounce } from './debounce.ts';
import { errorInfo } from './errors.ts';
import { versionsOf } from './tree.ts';

export const useChat = create<ChatState>()(() => initialChat);

const fail = (thrown: unknown): void => useChat.setState({ failure: errorInfo(thrown) });

export const dismissFailure = (): void => useChat.setState({ failure: null });

let showWaiting = (): void => undefined;
/** `flush` shows the frames that wait for the next paint: what main replies already has them. */
export const onOpening = (flush: () => void): void => void (showWaiting = flush);

export async function openChat(chatId: string): Promise<boolean> {
  flushSaves();
  try {
    const chat = await request('chats.get', { chatId });
    showWaiting();
    useChat.setState((state) => reduceOpened(state, chat));
    return true;
  } catch (thrown) {
    fail(thrown);
    return false;
  }
}

/** Opens a new chat; an open one that is still empty is already that. */
export async function newChat(): Promise<void> {
  const { open } = useChat.getState();
  if (open !== null && open.path.length === 0) return;
  saveDraft.flush();
  try {
    const chat = await request('chats.create', {});
    useChat.setState((state) => reduceOpened(state, chat));
  } catch (thrown) {
    fail(thrown);
  }
}

export const closeChat = (): void => useChat.setState(reduceClosed);

type Started = Reply<'chat.regenerate'> & { readonly user?: Message };

/** One answer at a time is asked for: a second wish comes too early. false: nothing began, and why is in the state. */
async function begin(chatId: string, ask: () => Promise<Started>): Promise<boolean> {
  if (useChat.getState().asking !== null) return false;
  useChat.setState({ asking: { chatId, stop: false } });
  try {
    const started = await ask();
    const isUnwanted = useChat.getState().asking?.stop === true;
    useChat.setState((state) => ({ ...reduceStarted(state, started), asking: null }));
    if (isUnwanted) await stopGeneration(started.generationId);
    return true;
  } catch (thrown) {
    useChat.setState({ asking: null });
    fail(thrown);
    return false;
  }
}

/** Sends under a parent; null begins the chat. */
const send = (message: PendingSend): Promise<boolean> =>
  begin(message.chatId, () => request('chat.send', { ...message }));

/** Goes on with the conversation on display. When the model is not ready, the message waits for it. */
export async function sendMessage(content: string, modelReady: boolean): Promise<boolean> {
  const { open } = useChat.getState();
  if (open === null) return false;
  const message = { chatId: open.id, parentId: open.path.at(-1) ?? null, content };
  if (!modelReady) {
    useChat.setState({ pending: message });
    return true;
  }
  return send(message);
}

/** A new version of a question, beside the old one. */
export async function resendEdited(messageId: string, content: string): Promise<boolean> {
  const { open } = useChat.getState();
  const message = open?.tree.byId[messageId];
  if (open === null || message === undefined) return false;
  return send({ chatId: open.id, parentId: message.parentId, content });
}

/** Called when the model became ready. */
export async function sendPending(): Promise<void> {
  const { pending } = useChat.getState();
  if (pending === null) return;
  useChat.setState({ pending: null });
  if (!(await send(pending))) useChat.setState({ pending });
}

/** Takes the waiting message back; returns its text. */
export function cancelPending(): string {
  const text = useChat.getState().pending?.content ?? '';
  useChat.setState({ pending: null });
  return text;
}

export async function regenerate(messageId: string): Promise<void> {
  const chatId = useChat.getState().open?.id;
  if (chatId !== undefined) await begin(chatId, () => request('chat.regenerate', { chatId, messageId }));
}

export async function continueAnswer(messageId: string): Promise<void> {
  const chatId = useChat.getState().open?.id;
  if (chatId !== undefined) await begin(chatId, () => request('chat.continue', { chatId, messageId }));
}

/** The answer up to a token, another token in its place, and on from there: a new version beside the old one. */
export async function branchAt(messageId: string, tokenIndex: number, token: number): Promise<void> {
  const chatId = useChat.getState().open?.id;
  if (chatId === undefined) return;
  await begin(chatId, () => request('chat.branch', { chatId, messageId, tokenIndex, token }));
}

/** Also while the answer is only asked for: then it ends as soon as it has begun. */
export async function stopAnswer(): Promise<void> {
  const { asking, open } = useChat.getState();
  const run = selectActiveRun(useChat.getState());
  if (run !== null) await stopGeneration(run.generationId);
  else if (asking !== null && asking.chatId === open?.id) useChat.setState({ asking: { ...asking, stop: true } });
}

async function stopGeneration(generationId: string): Promise<void> {
  if (useChat.getState().runs[generationId]?.stopping !== false) return;
  useChat.setState((state) => reduceStopping(state, generationId));
  await request('chat.stop', { generationId }).catch(fail);
}

/** Shows the version before (-1) or after (+1). */
export async function switchVersion(messageId: string, step: -1 | 1): Promise<void> {
  const { open } = useChat.getState();
  if (open === null) return;
  const { ids, index } = versionsOf(open.tree, messageId);
  const target = ids[index + step];
  if (target !== undefined) await showVersion(target);
}

/** The conversation that a message of the open chat is in. */
export async function showMessage(messageId: string): Promise<void> {
  const { open } = useChat.getState();
  if (open?.tree.byId[messageId] !== undefined && !open.path.includes(messageId)) await showVersion(messageId);
}

async function showVersion(messageId: string): Promise<void> {
  useChat.setState((state) => reduceVersion(state, messageId));
  const { open } = useChat.getState();
  if (open === null || open.leafId === null) return;
  await request('chats.update', { chatId: open.id, leafId: open.leafId }).catch(fail);
}

const saveDelayMs = 400;

const saveDraft = debounce(saveDelayMs, (chatId: string, draft: string) => {
  request('chats.update', { chatId, draft }).catch(fail);
});
const saveSampling = debounce(saveDelayMs, (chatId: string, sampling: SamplingOptions) => {
  request('chats.update', { chatId, sampling: { ...sampling, stop: [...sampling.stop] } }).catch(fail);
});
const saveSystemPrompt = debounce(saveDelayMs, (chatId: string, systemPrompt: string) => {
  request('chats.update', { chatId, systemPrompt }).catch(fail);
});

/** Before the page goes away, or before the engine reads what was changed a moment ago. */
export function flushSaves(): void {
  saveDraft.flush();
  saveSampling.flush();
  saveSystemPrompt.flush();
}

export function setDraft(draft: string): void {
  const { open } = useChat.getState();
  if (open === null || open.draft === draft) return;
  useChat.setState((state) => reduceHead(state, { draft }));
  saveDraft(open.id, draft);
}

export function setSampling(change: Partial<SamplingOptions>): void {
  useChat.setState((state) => reduceSampling(state, change));
  const { open } = useChat.getState();
  if (open !== null) saveSampling(open.id, open.sampling);
}

export function setSystemPrompt(systemPrompt: string): void {
  const { open } = useChat.getState();
  if (open === null) return;
  useChat.setState((state) => reduceHead(state, { systemPrompt }));
  saveSystemPrompt(open.id, systemPrompt);
}

/** Takes effect with the next message. */
export async function setContextPolicy(context: ContextPolicy): Promise<void> {
  const { open } = useChat.getState();
  if (open === null) return;
  useChat.setState((state) => reduceHead(state, { context }));
  await request('chats.update', { chatId: open.id, context }).catch(fail);
}

/** What the reader sees of a message right now, exactly. */
export function rawText(message: Message): string {
  return runFor(useChat.getState(), message.id)?.content.text ?? message.content;
}

/** The last message of a role in the conversation on display. */
export function lastOf(role: Message['role']): Message | null {
  const { open } = useChat.getState();
  if (open === null) return null;
  const id = open.path.findLast((candidate) => open.tree.byId[candidate]?.role === role);
  return (id === undefined ? undefined : open.tree.byId[id]) ?? null;
}
