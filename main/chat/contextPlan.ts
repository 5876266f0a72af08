/** Which part of a conversation the model sees, when it no longer fits the context whole. Decides nothing silently. */
import { keepTurnsRange } from '../contract/domain.ts';
import type { Chat, ContextCut, Message } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { EngineService, Prompt, PromptMessage } from '../engine/engineApi.ts';
import { promptMessages } from './promptMessages.ts';

/** Room for a summary, in tokens. */
export const summaryTokens = 256;
/** After a cut the conversation takes this share of the context at most: cutting at every turn would read it every time. */
const shareAfterCut = 0.6;

export interface View {
  readonly prompt: Prompt;
  readonly cut: ContextCut | null;
  /** What a summary is to stand in for; empty: nothing new to summarise. */
  readonly toSummarise: readonly PromptMessage[];
}

export interface Scene {
  readonly engine: Pick<EngineService, 'prompt' | 'status'>;
  readonly chat: Chat;
  /** From the first message to the one that is answered or goes on. */
  readonly conversation: readonly Message[];
  readonly tokensOf: ReadonlyMap<string, Int32Array>;
}

/** The cut that the newest answer was given with, if its place is still on this path. */
function currentCut(conversation: readonly Message[]): ContextCut | null {
  const cut = conversation.findLast((message) => message.cut !== undefined)?.cut;
  return cut !== undefined && conversation.some(({ id }) => id === cut.firstId) ? cut : null;
}

/** An answer that says what it was given without. */
export function withCut({ cut: _before, ...answer }: Message, cut: ContextCut | null): Message {
  return cut === null ? answer : { ...answer, cut };
}

/** The messages that a view through this cut shows. */
export function viewThrough({ chat, conversation, tokensOf }: Scene, cut: ContextCut | null): readonly PromptMessage[] {
  const first = cut === null ? 0 : conversation.findIndex(({ id }) => id === cut.firstId);
  const summary = cut?.summary ?? '';
  const intro = summary === '' ? '' : `Summary of the conversation so far:\n${summary}`;
  const systemPrompt = [chat.systemPrompt, intro].filter((part) => part !== '').join('\n\n');
  return promptMessages({ ...chat, systemPrompt }, conversation.slice(first), tokensOf);
}

/** Null when it does not fit. */
function promptThrough(scene: Scene, cut: ContextCut | null): Prompt | null {
  try {
    return scene.engine.prompt(viewThrough(scene, cut), scene.chat.sampling.promptFormat);
  } catch (error) {
    if (error instanceof AppError && error.code === 'CONTEXT_FULL') return null;
    throw error;
  }
}

/** The cut that keeps the newest `turns` questions and what followed them; null when that cuts nothing more off. */
function cutKeeping({ conversation }: Scene, turns: number, current: ContextCut | null): ContextCut | null {
  const starts = conversation.flatMap(({ role }, index) => (role === 'user' ? [index] : []));
  const first = starts.at(-turns) ?? 0;
  const message = conversation[first];
  const before = current === null ? 0 : conversation.findIndex(({ id }) => id === current.firstId);
  if (message === undefined || first <= before) return null;
  return { firstId: message.id, droppedMessages: first, summary: null };
}

/**
 * What to show the model, by the chat's own policy. Where the policy is `stop`, and where not even the newest turn fits,
 * the engine's CONTEXT_FULL is thrown.
 */
export function planContext(scene: Scene): View {
  const { engine, chat, conversation } = scene;
  const current = currentCut(conversation);
  const whole = promptThrough(scene, current);
  const asItIs: View | null = whole && { prompt: whole, cut: current, toSummarise: [] };
  const { status } = engine;
  const { kind, keepTurns } = chat.context;
  if (kind !== 'stop' && status.state === 'ready') {
    const room = status.model.contextPositions - status.model.metaTokens;
    const reserve = Math.min(chat.sampling.maxNewTokens, Math.floor(room / 4));
    if (asItIs !== null && asItIs.prompt.tokens.length + reserve <= room) return asItIs;
    const summary = kind === 'summarise' ? summaryTokens : 0;
    const shorter = shorterView(scene, current, room * shareAfterCut - summary, keepTurns);
    if (shorter !== null) return shorter;
  }
  if (asItIs !== null) return asItIs;
  // It does not fit: the engine says so, with the numbers.
  const prompt = engine.prompt(viewThrough(scene, current), chat.sampling.promptFormat);
  return { prompt, cut: current, toSummarise: [] };
}

/** The most turns, up to `keepTurns`, that take `maxTokens` at most; the last turn alone may take more. */
function shorterView(scene: Scene, current: ContextCut | null, maxTokens: number, keepTurns: number): View | null {
  const { conversation, chat } = scene;
  let best: View | null = null;
  for (let turns = Math.min(keepTurns, keepTurnsRange.max); turns > 0; turns -= 1) {
    const cut = cutKeeping(scene, turns, current);
    const prompt = cut && promptThrough(scene, cut);
    if (cut === null || prompt === null) continue;
    const dropped = { ...scene, conversation: conversation.slice(0, cut.droppedMessages) };
    const toSummarise = chat.context.kind === 'summarise' ? viewThrough(dropped, current) : [];
    best = { prompt, cut, toSummarise };
    if (prompt.tokens.length <= maxTokens) break;
  }
  return best;
}
