/** A chat 'c', its messages and the frames of its answers. */
import { defaultContextPolicy, defaultSampling } from '../../../main/contract/domain.ts';
import type { Chat, Message } from '../../../main/contract/domain.ts';
import type { Events } from '../../../main/contract/ipcEvents.ts';

let clock = 0;

export function message(id: string, parentId: string | null, partial: Partial<Message> = {}): Message {
  const role = id.startsWith('u') ? 'user' : 'assistant';
  return {
    id,
    chatId: 'c',
    parentId,
    role,
    content: id,
    createdAt: (clock += 1),
    status: 'complete',
    error: null,
    stats: null,
    ...partial,
  };
}

export function chat(messages: readonly Message[], leafId: string | null): Chat {
  return {
    id: 'c',
    title: 'T',
    createdAt: 0,
    updatedAt: 0,
    pinned: false,
    systemPrompt: '',
    context: defaultContextPolicy,
    sampling: defaultSampling,
    draft: '',
    leafId,
    messages,
  };
}

export function frame(generationId: string, text: string, messageId = 'a1'): Events['chat.tokens'] {
  return {
    generationId,
    chatId: 'c',
    messageId,
    text,
    timings: [{ stampNs: 0, forwardNs: 0, sampleNs: 0 }],
    sentAt: 0,
  };
}
