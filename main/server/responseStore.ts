/** Conversations that a previous_response_id may name: in memory only, the oldest forgotten first. */
import type { PromptMessage } from '../engine/engineApi.ts';
import { ApiError } from './apiErrors.ts';

const maxConversations = 1000;
/** Of all together; what two of them share counts twice. */
const maxChars = 64_000_000;

const charsOf = (messages: readonly PromptMessage[]): number =>
  messages.reduce((sum, { content }) => sum + content.length, 0);

export class ResponseStore {
  readonly #conversations = new Map<string, readonly PromptMessage[]>();
  #chars = 0;

  get(id: string): readonly PromptMessage[] {
    const found = this.#conversations.get(id);
    if (found === undefined) {
      throw new ApiError(404, 'not_found_error', `There is no response '${id}' here; send the conversation again.`, {
        param: 'previous_response_id',
        code: 'previous_response_not_found',
      });
    }
    return found;
  }

  set(id: string, messages: readonly PromptMessage[]): void {
    this.#conversations.set(id, messages);
    this.#chars += charsOf(messages);
    for (const [oldest, conversation] of this.#conversations) {
      if (this.#conversations.size <= maxConversations && this.#chars <= maxChars) return;
      this.#conversations.delete(oldest);
      this.#chars -= charsOf(conversation);
    }
  }
}
