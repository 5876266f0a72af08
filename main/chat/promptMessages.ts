/** From a conversation to what the engine makes a prompt of. */
import type { Chat, Message } from '../contract/domain.ts';
import type { PromptMessage } from '../engine/engineApi.ts';

/** Empty texts are left out: an answer that failed before its first word says nothing. */
export function promptMessages(
  chat: Chat,
  path: readonly Message[],
  tokensOf: ReadonlyMap<string, Int32Array>,
): readonly PromptMessage[] {
  const system: PromptMessage = { role: 'system', content: chat.systemPrompt };
  const turns = path.map(({ id, role, content }): PromptMessage => {
    const tokens = tokensOf.get(id);
    return { role, content, ...(tokens !== undefined && { tokens }) };
  });
  return [system, ...turns].filter(({ content }) => content !== '');
}
