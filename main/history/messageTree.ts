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
