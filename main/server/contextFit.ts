/** What a request that asks for it leaves out of a conversation that no longer fits. By itself nothing is ever left out. */
import type { PromptFormat } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { EngineService, Prompt, PromptMessage } from '../engine/engineApi.ts';
import type { Exchange } from './exchange.ts';

export const requestPolicies = ['stop', 'roll'] as const;
/** stop: refused with 400 context_length_exceeded. roll: the oldest messages are left out, never system messages. */
export type RequestPolicy = (typeof requestPolicies)[number];

export interface FittedPrompt {
  readonly prompt: Prompt;
  /** Messages that the model does not see. */
  readonly dropped: number;
}

/** A user's message begins a turn; what answers it goes with it. System messages belong to no turn. */
function withoutOldest(messages: readonly PromptMessage[], turns: number): readonly PromptMessage[] {
  let turn = 0;
  let hasBegun = false;
  return messages.filter(({ role }) => {
    if (role === 'system') return true;
    if (role === 'user' && hasBegun) turn += 1;
    hasBegun = true;
    return turn >= turns;
  });
}

/**
 * The prompt of as much of the conversation as fits beside `reserve` tokens of an answer. Throws CONTEXT_FULL when not
 * even the last turn fits, or under `stop`.
 */
export function fitPrompt(
  engine: Pick<EngineService, 'prompt' | 'status'>,
  messages: readonly PromptMessage[],
  { format, policy, reserve }: { format: PromptFormat; policy: RequestPolicy; reserve: number },
): FittedPrompt {
  if (policy === 'stop' || engine.status.state !== 'ready')
    return { prompt: engine.prompt(messages, format), dropped: 0 };
  const { contextPositions, metaTokens } = engine.status.model;
  const room = contextPositions - metaTokens;
  const limit = room - Math.min(reserve, Math.floor(room / 4));
  const turns = messages.filter(({ role }) => role === 'user').length;
  const view = (left: number): FittedPrompt | null => {
    const kept = withoutOldest(messages, left);
    const prompt = promptOrNull(engine, kept, format);
    return prompt && { prompt, dropped: messages.length - kept.length };
  };
  // The fewest turns to leave out: between `low`, of which fewer are too few, and `high`.
  let low = 0;
  let high = Math.max(0, turns - 1);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((view(middle)?.prompt.tokens.length ?? Infinity) <= limit) high = middle;
    else low = middle + 1;
  }
  // Not even the last turn: the engine says so, with the numbers.
  return view(low) ?? { prompt: engine.prompt(withoutOldest(messages, low), format), dropped: 0 };
}

function promptOrNull(
  engine: Pick<EngineService, 'prompt'>,
  messages: readonly PromptMessage[],
  format: PromptFormat,
): Prompt | null {
  try {
    return engine.prompt(messages, format);
  } catch (error) {
    if (error instanceof AppError && error.code === 'CONTEXT_FULL') return null;
    throw error;
  }
}

/** Nothing is left out silently: a header says how many messages the model did not see. */
export const withDropped = (exchange: Exchange, dropped: number): Exchange => ({
  ...exchange,
  headers: { ...exchange.headers, 'x-dropped-messages': String(dropped) },
});
