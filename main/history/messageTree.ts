/** A chat's messages as a tree: siblings are versions of each other, a path from a root to a leaf is a conversation. */
import type { Message } from '../contract/domain.ts';

/** From the root down to `leafId`, both included. Empty for null or an unknown id. */
export function pathTo(messages: readonly Message[], leafId: string | null): readonly Message[] {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const path: Message[] = [];
  let id = leafId;
  while (id !== null) {
    const message = byId.get(id);
    // Deleting what was visited ends the walk even if parents should form a ring.
    if (!message || !byId.delete(id)) break;
    path.push(message);
    id = message.parentId;
  }
  return path.reverse();
}

/**
 * Messages in the order of writing, made a sound tree: one that lost its parent, or claims a later one, stands as a root
 * of its own; one whose id was taken is left out.
 */
export function soundTree<M extends Pick<Message, 'id' | 'parentId'>>(messages: readonly M[]): readonly M[] {
  const known = new Set<string>();
  return messages.flatMap((message) => {
    if (known.has(message.id)) return [];
    const orphan = message.parentId !== null && !known.has(message.parentId);
    known.add(message.id);
    return [orphan ? { ...message, parentId: null } : message];
  });
}
