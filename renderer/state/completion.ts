/** A text that a base model goes on with. Each continuation is an exchange of one chat, so that nothing is lost. */
import { create } from 'zustand';

import type { Chat, GenerationStats } from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import type { Events } from '../../main/contract/ipcEvents.ts';
import { request } from '../bridge.ts';
import { errorInfo } from './errors.ts';
import { useSettings } from './settings.ts';

export interface CompletionState {
  readonly text: string;
  /** What stood there before each continuation, oldest first. */
  readonly before: readonly string[];
  /** The continuation being written; generationId null until main has said it. */
  readonly run: { readonly chatId: string; readonly generationId: string | null } | null;
  readonly stats: GenerationStats | null;
  readonly error: ErrorInfo | null;
}

const textKey = 'nemoflash.completionText';
const chatKey = 'nemoflash.completionChat';

export const useCompletion = create<CompletionState>()(() => ({
  text: localStorage.getItem(textKey) ?? '',
  before: [],
  run: null,
  stats: null,
  error: null,
}));

export function setText(text: string): void {
  localStorage.setItem(textKey, text);
  useCompletion.setState({ text });
}

export function takeBack(): void {
  const { before } = useCompletion.getState();
  const last = before.at(-1);
  if (last === undefined) return;
  setText(last);
  useCompletion.setState({ before: before.slice(0, -1), stats: null, error: null });
}

/** The chat of the continuations: its contents go to the model as they are, with no instructions before them. */
async function openChat(): Promise<Chat> {
  const known = localStorage.getItem(chatKey);
  const found = known === null ? null : await request('chats.get', { chatId: known }).catch(() => null);
  const chat = found ?? (await request('chats.create', {}));
  localStorage.setItem(chatKey, chat.id);
  const { sampling } = useSettings.getState().settings;
  const raw = { ...sampling, stop: [...sampling.stop], promptFormat: 'raw' as const };
  return request('chats.update', { chatId: chat.id, systemPrompt: '', sampling: raw });
}

export async function continueText(): Promise<void> {
  const { text, run, before } = useCompletion.getState();
  if (run !== null || text === '') return;
  useCompletion.setState({ before: [...before, text], stats: null, error: null });
  try {
    const { id: chatId } = await openChat();
    useCompletion.setState({ run: { chatId, generationId: null } });
    const { generationId } = await request('chat.send', { chatId, parentId: null, content: text });
    // A short continuation may have ended already.
    const { run: running } = useCompletion.getState();
    if (running !== null) useCompletion.setState({ run: { chatId, generationId } });
  } catch (thrown) {
    useCompletion.setState({ run: null, before, error: errorInfo(thrown) });
  }
}

export async function stopText(): Promise<void> {
  const generationId = useCompletion.getState().run?.generationId ?? null;
  if (generationId === null) return;
  await request('chat.stop', { generationId }).catch((thrown: unknown) =>
    useCompletion.setState({ error: errorInfo(thrown) }),
  );
}

export function takeFrame({ chatId, text }: Events['chat.tokens']): void {
  const state = useCompletion.getState();
  if (state.run?.chatId === chatId) useCompletion.setState({ text: state.text + text });
}

/** What was stored has the last word. */
export function takeEnd({ message }: Events['chat.finished']): void {
  const { run, before } = useCompletion.getState();
  if (run?.chatId !== message.chatId) return;
  setText((before.at(-1) ?? '') + message.content);
  useCompletion.setState({ run: null, stats: message.stats, error: message.error });
}
