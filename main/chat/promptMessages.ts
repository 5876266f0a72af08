/** From a conversation to what the engine makes a prompt of. */
import type { Chat, Message } from '../contract/domain.ts';
import type { PromptMessage } from '../engine/engineApi.ts';

/** Empty texts are left out: an answer that failed before its first word says nothing. */
export function promptMessages(chat: Chat, path: readonly Message[]): readonly PromptMessage[] {
  const system: PromptMessage = { role: 'system', content: chat.systemPrompt };
  return [system, ...path].filter(({ content }) => content !== '').map(({ role, content }) => ({ role, content }));
}
