/** Chats as they are stored and shown. */
import type { GenerationStats } from './answer.ts';
import type { ErrorInfo } from './errors.ts';
import type { NumberRange, SamplingOptions } from './sampling.ts';

export type MessageRole = 'user' | 'assistant';

/** `streaming` is only ever seen on the answer being generated; after a crash it reads as `interrupted`. */
export type MessageStatus = 'complete' | 'streaming' | 'interrupted' | 'failed';

export const contextPolicyKinds = ['stop', 'roll', 'summarise'] as const;

/** What happens when a conversation no longer fits the context. Never decided silently: see ContextCut. */
export interface ContextPolicy {
  /** stop: nothing more is answered. roll: older turns are left out. summarise: and a summary stands in for them. */
  readonly kind: (typeof contextPolicyKinds)[number];
  /** Newest turns kept in full, or fewer where so many do not fit; of no meaning to `stop`. */
  readonly keepTurns: number;
}

export const keepTurnsRange = { min: 1, max: 50, step: 1, default: 6 } as const satisfies NumberRange;
export const defaultContextPolicy: ContextPolicy = { kind: 'stop', keepTurns: keepTurnsRange.default };

/** Where the model's view of a conversation begins. The system prompt is always in it. */
export interface ContextCut {
  /** First message that the model saw. */
  readonly firstId: string;
  readonly droppedMessages: number;
  /** What stood in for those before it; null: nothing. */
  readonly summary: string | null;
}

/** Messages form a tree: siblings are versions of each other, a path from a root to a leaf is a conversation. */
export interface Message {
  readonly id: string;
  readonly chatId: string;
  readonly parentId: string | null;
  readonly role: MessageRole;
  /** The raw text, exactly. */
  readonly content: string;
  readonly createdAt: number;
  readonly status: MessageStatus;
  readonly error: ErrorInfo | null;
  readonly stats: GenerationStats | null;
  /** Of an answer that was given without the whole conversation in view. */
  readonly cut?: ContextCut | undefined;
}

export interface ChatSummary {
  readonly id: string;
  readonly title: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly pinned: boolean;
}

export interface Chat extends ChatSummary {
  readonly systemPrompt: string;
  readonly sampling: SamplingOptions;
  readonly context: ContextPolicy;
  readonly draft: string;
  /** End of the path on display; null for an empty chat. */
  readonly leafId: string | null;
  readonly messages: readonly Message[];
}

export interface SearchHit {
  readonly chatId: string;
  readonly messageId: string | null;
  readonly title: string;
  /** Plain text around the match; matchStart and matchEnd are offsets into it. */
  readonly snippet: string;
  readonly matchStart: number;
  readonly matchEnd: number;
}
