/** The list of chats, and the search in it. */
import { create } from 'zustand';

import type { ChatSummary, SearchHit } from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import { request } from '../bridge.ts';
import { debounce } from './debounce.ts';
import { errorInfo } from './errors.ts';

export interface ChatsState {
  readonly chats: readonly ChatSummary[];
  readonly loaded: boolean;
  readonly query: string;
  /** null: no search. */
  readonly hits: readonly SearchHit[] | null;
  readonly error: ErrorInfo | null;
  /** The chat removed last, while it can be brought back. */
  readonly removed: ChatSummary | null;
}

export const useChats = create<ChatsState>()(() => ({
  chats: [],
  loaded: false,
  query: '',
  hits: null,
  error: null,
  removed: null,
}));

const fail = (thrown: unknown): void => useChats.setState({ error: errorInfo(thrown) });

export const setChats = (chats: readonly ChatSummary[]): void => useChats.setState({ chats, loaded: true });

export async function loadChats(): Promise<readonly ChatSummary[]> {
  try {
    const chats = await request('chats.list', {});
    setChats(chats);
    return chats;
  } catch (thrown) {
    fail(thrown);
    return [];
  }
}

const runSearch = debounce(120, (query: string) => {
  request('chats.search', { query })
    .then((hits) => {
      if (useChats.getState().query.trim() === query) useChats.setState({ hits });
    })
    .catch(fail);
});

export function search(query: string): void {
  useChats.setState({ query });
  const words = query.trim();
  if (words === '') {
    runSearch.cancel();
    useChats.setState({ hits: null });
  } else {
    runSearch(words);
  }
}

export async function renameChat(chatId: string, title: string): Promise<void> {
  await request('chats.update', { chatId, title: title.trim() }).catch(fail);
}

export async function pinChat(chatId: string, pinned: boolean): Promise<void> {
  await request('chats.update', { chatId, pinned }).catch(fail);
}

/** Can be undone with restoreChat. */
export async function removeChat(chatId: string): Promise<boolean> {
  const removed = useChats.getState().chats.find((chat) => chat.id === chatId) ?? null;
  try {
    await request('chats.remove', { chatId });
    useChats.setState((state) => ({ removed, chats: state.chats.filter((chat) => chat.id !== chatId) }));
    return true;
  } catch (thrown) {
    fail(thrown);
    return false;
  }
}

export async function restoreChat(): Promise<string | null> {
  const { removed } = useChats.getState();
  if (removed === null) return null;
  useChats.setState({ removed: null });
  try {
    const chat = await request('chats.restore', { chatId: removed.id });
    await loadChats();
    return chat.id;
  } catch (thrown) {
    fail(thrown);
    return null;
  }
}

export const forgetRemoved = (): void => useChats.setState({ removed: null });

export type ChatGroup = 'pinned' | 'today' | 'yesterday' | 'week' | 'older';

const dayMs = 86_400_000;

/** Pinned ones first, then by age of the last change; empty groups are left out. */
export function groupChats(
  chats: readonly ChatSummary[],
  now: number,
): readonly { readonly group: ChatGroup; readonly chats: readonly ChatSummary[] }[] {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const groupOf = (chat: ChatSummary): ChatGroup => {
    if (chat.pinned) return 'pinned';
    if (chat.updatedAt >= midnight) return 'today';
    if (chat.updatedAt >= midnight - dayMs) return 'yesterday';
    return chat.updatedAt >= midnight - 7 * dayMs ? 'week' : 'older';
  };
  const sorted = chats.toSorted((a, b) => b.updatedAt - a.updatedAt);
  const order: readonly ChatGroup[] = ['pinned', 'today', 'yesterday', 'week', 'older'];
  return order
    .map((group) => ({ group, chats: sorted.filter((chat) => groupOf(chat) === group) }))
    .filter((entry) => entry.chats.length > 0);
}
