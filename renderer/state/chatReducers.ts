/** What happens to the chat state, as pure functions. Frames of a run that has ended are dropped by its id. */
import type { Chat, ContextCut, ContextPolicy, Message, SamplingOptions } from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import type { Events } from '../../main/contract/ipcEvents.ts';
import { growBlocks, noBlocks, splitBlocks } from './blocks.ts';
import type { BlockList } from './blocks.ts';
import { buildTree, leafUnder, newestLeaf, pathTo, putMessage } from './tree.ts';
import type { MessageTree } from './tree.ts';

export interface OpenChat {
  readonly id: string;
  readonly title: string;
  readonly systemPrompt: string;
  readonly sampling: SamplingOptions;
  readonly context: ContextPolicy;
  readonly draft: string;
  readonly tree: MessageTree;
  readonly leafId: string | null;
  /** Ids from the first message to the leaf. */
  readonly path: readonly string[];
}

export interface Prefill {
  readonly doneTokens: number;
  readonly totalTokens: number;
  readonly reusedTokens: number;
  readonly elapsedNs: number;
}

/** An answer being generated. */
export interface Run {
  readonly generationId: string;
  readonly chatId: string;
  readonly messageId: string;
  /** Text the answer had before this run. null: the frames came before the reply that says so. */
  readonly base: string | null;
  readonly content: BlockList;
  readonly prefill: Prefill | null;
  readonly tokens: number;
  /** Stop was asked for; what still arrives is not shown. */
  readonly stopping: boolean;
}

/** A message written before the model was ready; sent as soon as it is. */
export interface PendingSend {
  readonly chatId: string;
  readonly parentId: string | null;
  readonly content: string;
}

/** An answer was asked for, and main has not replied yet. */
export interface Asking {
  readonly chatId: string;
  /** Stop was asked for meanwhile. */
  readonly stop: boolean;
}

export interface ChatState {
  readonly open: OpenChat | null;
  readonly asking: Asking | null;
  readonly runs: Readonly<Record<string, Run>>;
  /** Ids of runs that have ended, newest last, bounded. */
  readonly ended: readonly string[];
  readonly pending: PendingSend | null;
  readonly failure: ErrorInfo | null;
}

export const initialChat: ChatState = {
  open: null,
  asking: null,
  runs: {},
  ended: [],
  pending: null,
  failure: null,
};

const endedLimit = 64;

type TokenFrame = Events['chat.tokens'];

function withTree(open: OpenChat, tree: MessageTree, leafId: string | null): OpenChat {
  return { ...open, tree, leafId, path: pathTo(tree, leafId) };
}

/**
 * The chat as main has it now, with exactly the text that frames have carried so far: what is known of its runs begins
 * with that. A chat that is on display already keeps its draft, and the version that the reader is looking at.
 */
export function reduceOpened(state: ChatState, chat: Chat): ChatState {
  const tree = buildTree(chat.messages);
  const stored = chat.leafId !== null && tree.byId[chat.leafId] !== undefined ? chat.leafId : newestLeaf(tree);
  const { id, title, systemPrompt, sampling, context } = chat;
  const before = state.open?.id === id ? state.open : null;
  const shown = before?.leafId ?? null;
  const isOther = shown !== null && tree.byId[shown] !== undefined && !pathTo(tree, stored).includes(shown);
  const leafId = isOther ? shown : stored;
  const draft = before?.draft ?? chat.draft;
  const open = { id, title, systemPrompt, sampling, context, draft, tree, leafId, path: pathTo(tree, leafId) };
  return { ...state, open, runs: withStoredText(state.runs, tree), failure: null };
}

function withStoredText(runs: ChatState['runs'], tree: MessageTree): ChatState['runs'] {
  const entries = Object.entries(runs).map(([id, run]) => {
    const text = tree.byId[run.messageId]?.content;
    return [id, text === undefined || text === run.content.text ? run : { ...run, content: splitBlocks(text) }];
  });
  return Object.fromEntries(entries) as ChatState['runs'];
}

export function reduceClosed(state: ChatState): ChatState {
  return { ...state, open: null, failure: null };
}

function newRun(generationId: string, chatId: string, messageId: string): Run {
  return {
    generationId,
    chatId,
    messageId,
    base: null,
    content: noBlocks,
    prefill: null,
    tokens: 0,
    stopping: false,
  };
}

/** The reply to a send, a regenerate or a continue. Frames may have come before it. */
export function reduceStarted(
  state: ChatState,
  started: { readonly generationId: string; readonly answer: Message; readonly user?: Message },
): ChatState {
  const { generationId, answer, user } = started;
  let next = state;
  if (state.open !== null && state.open.id === answer.chatId) {
    let tree = state.open.tree;
    if (user !== undefined) tree = putMessage(tree, user);
    // A run that ended before its own reply has already left the finished answer in the tree.
    if (!state.ended.includes(generationId) || tree.byId[answer.id] === undefined) tree = putMessage(tree, answer);
    next = { ...next, open: withTree(state.open, tree, answer.id) };
  }
  if (state.ended.includes(generationId)) return next;
  const early = state.runs[generationId] ?? newRun(generationId, answer.chatId, answer.id);
  const content = answer.content === '' ? early.content : splitBlocks(answer.content + early.content.text);
  const run: Run = { ...early, base: answer.content, content };
  return { ...next, failure: null, runs: { ...next.runs, [generationId]: run } };
}

/** The run a frame belongs to; null when it came too late. A page that was reloaded adopts runs it did not start. */
function runOf(state: ChatState, frame: { generationId: string; chatId: string; messageId: string }): Run | null {
  if (state.ended.includes(frame.generationId)) return null;
  const known = state.runs[frame.generationId];
  if (known !== undefined) return known;
  const fresh = newRun(frame.generationId, frame.chatId, frame.messageId);
  const message = state.open?.tree.byId[frame.messageId];
  if (message === undefined) return fresh;
  return { ...fresh, base: message.content, content: splitBlocks(message.content) };
}

export function reducePrefill(state: ChatState, progress: Events['chat.prefill']): ChatState {
  const run = runOf(state, progress);
  if (run === null) return state;
  const { doneTokens, totalTokens, reusedTokens, elapsedNs } = progress;
  const prefill = { doneTokens, totalTokens, reusedTokens, elapsedNs };
  return { ...state, runs: { ...state.runs, [run.generationId]: { ...run, prefill } } };
}

/** All frames that arrived since the last paint, at once. */
export function reduceFrames(state: ChatState, frames: readonly TokenFrame[]): ChatState {
  const runs: Record<string, Run> = { ...state.runs };
  let changed = false;
  const texts = new Map<string, string[]>();
  for (const frame of frames) {
    const run = runOf({ ...state, runs }, frame);
    if (run === null || run.stopping) continue;
    changed = true;
    const parts = texts.get(run.generationId) ?? [];
    parts.push(frame.text);
    texts.set(run.generationId, parts);
    runs[run.generationId] = { ...run, tokens: run.tokens + frame.timings.length };
  }
  for (const [id, parts] of texts) {
    const run = runs[id];
    if (run !== undefined) runs[id] = { ...run, content: growBlocks(run.content, parts.join('')) };
  }
  return changed ? { ...state, runs } : state;
}

export function reduceFinished(state: ChatState, finished: Events['chat.finished']): ChatState {
  const { generationId, message } = finished;
  const runs = { ...state.runs };
  delete runs[generationId];
  const ended = [...state.ended.filter((id) => id !== generationId), generationId].slice(-endedLimit);
  const open =
    state.open?.id === message.chatId
      ? withTree(state.open, putMessage(state.open.tree, message), state.open.leafId)
      : state.open;
  return { ...state, open, runs, ended };
}

export function reduceStopping(state: ChatState, generationId: string): ChatState {
  const run = state.runs[generationId];
  if (run === undefined) return state;
  return { ...state, runs: { ...state.runs, [generationId]: { ...run, stopping: true } } };
}

/** A frame of the open chat about a message that it does not have: another window has gone on with it. */
export function isFromElsewhere(
  state: ChatState,
  { chatId, messageId }: { chatId: string; messageId: string },
): boolean {
  return state.open?.id === chatId && state.asking === null && state.open.tree.byId[messageId] === undefined;
}

/** Shows another version of a message, with the newest conversation below it. */
export function reduceVersion(state: ChatState, messageId: string): ChatState {
  if (state.open === null) return state;
  return { ...state, open: withTree(state.open, state.open.tree, leafUnder(state.open.tree, messageId)) };
}

export function reduceSampling(state: ChatState, change: Partial<SamplingOptions>): ChatState {
  if (state.open === null) return state;
  return { ...state, open: { ...state.open, sampling: { ...state.open.sampling, ...change } } };
}

export function reduceHead(
  state: ChatState,
  change: Partial<Pick<OpenChat, 'title' | 'draft' | 'systemPrompt' | 'context'>>,
): ChatState {
  if (state.open === null) return state;
  return { ...state, open: { ...state.open, ...change } };
}

/** By path, so that the rows of a frame share one walk. A path is made anew whenever a message of the chat changes. */
const cuts = new WeakMap<readonly string[], ContextCut | null>();

/** The cut of the newest answer on display that has one. */
export function selectCut({ open }: ChatState): ContextCut | null {
  if (open === null) return null;
  let cut = cuts.get(open.path);
  if (cut === undefined) {
    const id = open.path.findLast((candidate) => open.tree.byId[candidate]?.cut !== undefined);
    cut = (id === undefined ? undefined : open.tree.byId[id]?.cut) ?? null;
    cuts.set(open.path, cut);
  }
  return cut;
}

/** The run of a message, if it is being generated. */
export function runFor(state: ChatState, messageId: string): Run | null {
  for (const run of Object.values(state.runs)) if (run.messageId === messageId) return run;
  return null;
}

/** The run of the open chat; null when nothing is being generated there. */
export function selectActiveRun(state: ChatState): Run | null {
  if (state.open === null) return null;
  for (const run of Object.values(state.runs)) if (run.chatId === state.open.id) return run;
  return null;
}

/** Nothing can be asked in the open chat: an answer is being written, or about to be. */
export const selectBusy = (state: ChatState): boolean =>
  selectActiveRun(state) !== null || (state.asking !== null && state.asking.chatId === state.open?.id);
