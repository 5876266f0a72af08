/** A chat's messages as a tree: siblings are versions of each other, a path from a root to a leaf is a conversation. */
import type { Message } from '../../main/contract/domain.ts';

export interface MessageTree {
  readonly byId: Readonly<Record<string, Message>>;
  /** Ids of the children, oldest first; roots are under ''. */
  readonly children: Readonly<Record<string, readonly string[]>>;
}

export const emptyTree: MessageTree = { byId: {}, children: {} };

const parentKey = (message: Message): string => message.parentId ?? '';

export function buildTree(messages: readonly Message[]): MessageTree {
  const byId: Record<string, Message> = {};
  const children: Record<string, string[]> = {};
  for (const message of messages.toSorted((a, b) => a.createdAt - b.createdAt)) {
    byId[message.id] = message;
    (children[parentKey(message)] ??= []).push(message.id);
  }
  return { byId, children };
}

/** Adds a message, or replaces the one with its id. */
export function putMessage(tree: MessageTree, message: Message): MessageTree {
  const byId = { ...tree.byId, [message.id]: message };
  if (tree.byId[message.id] !== undefined) return { byId, children: tree.children };
  const key = parentKey(message);
  return { byId, children: { ...tree.children, [key]: [...(tree.children[key] ?? []), message.id] } };
}

/** Ids from the root to the leaf. Stops at a missing parent: one lost row never makes a chat unopenable. */
export function pathTo(tree: MessageTree, leafId: string | null): readonly string[] {
  const path: string[] = [];
  const seen = new Set<string>();
  let id = leafId;
  while (id !== null && !seen.has(id)) {
    const message = tree.byId[id];
    if (message === undefined) break;
    seen.add(id);
    path.push(id);
    id = message.parentId;
  }
  return path.reverse();
}

/** The newest conversation below a message: its newest child, and so on. */
export function leafUnder(tree: MessageTree, id: string): string {
  let leaf = id;
  for (;;) {
    const newest = tree.children[leaf]?.at(-1);
    if (newest === undefined) return leaf;
    leaf = newest;
  }
}

/** The newest leaf of the whole chat; null when it is empty. */
export function newestLeaf(tree: MessageTree): string | null {
  const root = tree.children['']?.at(-1);
  return root === undefined ? null : leafUnder(tree, root);
}

export interface Versions {
  readonly index: number;
  readonly ids: readonly string[];
}

/** A message among its versions. */
export function versionsOf(tree: MessageTree, id: string): Versions {
  const message = tree.byId[id];
  const ids = message === undefined ? [] : (tree.children[parentKey(message)] ?? []);
  return { index: ids.indexOf(id), ids };
}
