/** Chats and their answers: the service behind the routes chats.* and chat.*. */
import { randomUUID } from 'node:crypto';

import type { Chat, ChatSummary, Message, SearchHit, Settings, TokenDetail, TokenTiming } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { ParsedRequest, Reply } from '../contract/ipc.ts';
import type { EngineService } from '../engine/engineApi.ts';
import type { AnswerMake, ChatStore } from '../history/chatStore.ts';
import { pathTo } from '../history/messageTree.ts';
import type { Log } from '../log.ts';
import { planContext, withCut } from './contextPlan.ts';
import { DraftReader } from './readDraft.ts';
import { nothingMade, RunningAnswer } from './runningAnswer.ts';
import type { Publish } from './runningAnswer.ts';
import { summarised } from './summarise.ts';
import { forced } from './tokenDetails.ts';

interface ChatServiceOptions {
  readonly engine: EngineService;
  readonly store: ChatStore;
  /** Where a new chat gets its system prompt and sampling from. */
  readonly settings: { readonly current: Settings };
  readonly publish: Publish;
  readonly log: Log;
  readonly now?: (() => number) | undefined;
  /** Called with each answer that was stored. */
  readonly onAnswered?: ((answer: Message) => void) | undefined;
  /** Called when the last of the running answers has ended: the time for backups. */
  readonly onRest?: (() => void) | undefined;
}

export class ChatService {
  readonly #options: ChatServiceOptions;
  readonly #store: ChatStore;
  readonly #now: () => number;
  /** By generation id. At most one per chat. */
  readonly #running = new Map<string, RunningAnswer>();
  #closing = false;
  readonly #drafts = new DraftReader();

  /** Settles what the last run left: answers cut off by a crash, chats deleted long ago. */
  constructor(options: ChatServiceOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#now = options.now ?? Date.now;
    const interrupted = this.#store.settleInterrupted();
    const purged = this.#store.purgeDeleted();
    if (interrupted + purged > 0) options.log.info('chats.settled', { interrupted, purged });
  }

  list(): readonly ChatSummary[] {
    return this.#store.list();
  }

  create(): Chat {
    const chat = this.#store.create(this.#options.settings.current);
    this.#publishList();
    return chat;
  }

  get({ chatId }: ParsedRequest<'chats.get'>): Chat {
    return this.#withRunningText(this.#store.get(chatId));
  }

  update({ chatId, ...patch }: ParsedRequest<'chats.update'>): Chat {
    const chat = this.#store.update(chatId, patch);
    if (patch.title !== undefined || patch.pinned !== undefined) this.#publishList();
    return this.#withRunningText(chat);
  }

  remove({ chatId }: ParsedRequest<'chats.remove'>): null {
    this.#store.remove(chatId);
    this.#runningIn(chatId)?.stop();
    this.#publishList();
    return null;
  }

  restore({ chatId }: ParsedRequest<'chats.restore'>): Chat {
    const chat = this.#store.restore(chatId);
    this.#publishList();
    return this.#withRunningText(chat);
  }

  search({ query }: ParsedRequest<'chats.search'>): Promise<readonly SearchHit[]> {
    return this.#store.search(query);
  }

  /**
   * Throws before anything is stored when no answer can begin (no model, no room in the context, chat busy), so that
   * the text stays with the person who wrote it.
   */
  send({ chatId, parentId, content }: ParsedRequest<'chat.send'>): Reply<'chat.send'> {
    const chat = this.#idleChat(chatId);
    const path = pathTo(chat.messages, parentId);
    if (parentId !== null && path.at(-1)?.role !== 'assistant') {
      throw new AppError('BAD_ARGUMENT', 'A message can begin a chat or follow an answer of the same chat.');
    }
    const user = this.#newMessage(chatId, parentId, 'user', content.toWellFormed());
    const answer = this.#newMessage(chatId, user.id, 'assistant', '');
    const started = this.#start(chat, [...path, user], answer, (begun) => this.#store.begin(chatId, user, begun));
    return { ...started, user };
  }

  /** Nothing happens while answers run, for a conversation that does not fit, and for a first word. */
  async prepare({ chatId, parentId, content, whole }: ParsedRequest<'chat.prepare'>): Promise<Reply<'chat.prepare'>> {
    this.#drafts.stop();
    if (this.#running.size > 0 || this.#closing || !this.#options.settings.current.prefillWhileTyping) {
      return { readTokens: 0 };
    }
    const chat = this.#store.get(chatId);
    const draft = this.#newMessage(chatId, parentId, 'user', content.toWellFormed());
    const conversation = [...pathTo(chat.messages, parentId), draft];
    const tokensOf = this.#store.answerTokens.ofChat(chatId);
    const { engine } = this.#options;
    return { readTokens: await this.#drafts.read({ engine, chat, conversation, tokensOf }, parentId, whole) };
  }

  /** Also answers a message that has none, as imported chats may end in one. */
  regenerate({ chatId, messageId }: ParsedRequest<'chat.regenerate'>): Reply<'chat.regenerate'> {
    const chat = this.#idleChat(chatId);
    const path = pathTo(chat.messages, messageId);
    const question = path.findLast((message) => message.role === 'user');
    if (!question) throw new AppError('NOT_FOUND', 'There is no message that this could answer.');
    const answer = this.#newMessage(chatId, question.id, 'assistant', '');
    const conversation = path.slice(0, path.indexOf(question) + 1);
    return this.#start(chat, conversation, answer, (begun) => this.#store.begin(chatId, null, begun));
  }

  continue({ chatId, messageId }: ParsedRequest<'chat.continue'>): Reply<'chat.continue'> {
    const chat = this.#idleChat(chatId);
    const path = pathTo(chat.messages, messageId);
    const stored = path.at(-1);
    if (stored?.role !== 'assistant') throw new AppError('NOT_FOUND', 'There is no answer here that could go on.');
    const answer: Message = { ...stored, status: 'streaming', error: null };
    return this.#start(chat, path, answer, (begun) => this.#store.reopen(begun));
  }

  /** Throws BAD_ARGUMENT where the model's own tokens are not known, or where the text would end inside a character. */
  branch({ chatId, messageId, tokenIndex, token }: ParsedRequest<'chat.branch'>): Reply<'chat.branch'> {
    const chat = this.#idleChat(chatId);
    const path = pathTo(chat.messages, messageId);
    const stored = path.at(-1);
    const tokens = this.#store.answerTokens.ofChat(chatId).get(messageId);
    if (stored?.role !== 'assistant' || tokens === undefined || tokenIndex >= tokens.length) {
      throw new AppError('BAD_ARGUMENT', 'The tokens of this answer are not known. Answer again, then choose a token.');
    }
    const kept = Int32Array.from([...tokens.subarray(0, tokenIndex), token]);
    const content = this.#options.engine.tokenizer().decode(kept);
    if (content.endsWith('\ufffd') || content === '') {
      throw new AppError('BAD_ARGUMENT', 'This token is a part of a character. Choose one that is a text of its own.');
    }
    const answer = this.#newMessage(chatId, stored.parentId, 'assistant', content);
    const details = this.#store.answerTokens.details(messageId);
    const make = { tokens: kept, details: details.length > tokenIndex ? forced(details, tokenIndex, token) : [] };
    const begin = (begun: Message) => this.#store.begin(chatId, null, begun);
    return this.#start(chat, [...path.slice(0, -1), answer], answer, begin, make);
  }

  /** Stopping what has ended is no error: the stop and the end may cross. */
  stop({ generationId }: ParsedRequest<'chat.stop'>): null {
    this.#running.get(generationId)?.stop();
    return null;
  }

  timings({ messageId }: ParsedRequest<'chat.timings'>): readonly TokenTiming[] {
    const running = [...this.#running.values()].find((answer) => answer.messageId === messageId);
    return running?.timings ?? this.#store.timings(messageId);
  }

  /** How likely each token of an answer was; empty when that was not asked for. */
  inspect({ messageId }: ParsedRequest<'chat.inspect'>): readonly TokenDetail[] {
    return this.#store.answerTokens.details(messageId);
  }

  /** Ends every answer as `interrupted` and waits until they are stored. Call before the engine and the store close. */
  async dispose(): Promise<void> {
    this.#closing = true;
    this.#drafts.stop();
    const answers = [...this.#running.values()];
    for (const answer of answers) answer.interrupt();
    await Promise.all(answers.map((answer) => answer.done));
  }

  /** The engine starts to read while the disk commits, so that safety costs no time to first token. */
  #start(
    chat: Chat,
    conversation: readonly Message[],
    draft: Message,
    commit: (answer: Message) => void,
    givenMake: AnswerMake | null = null,
  ): Reply<'chat.regenerate'> {
    const knownBeforeTyping = this.#drafts.takeKnown(chat.id, conversation.at(-1)?.parentId ?? null);
    const { engine, onAnswered, onRest, settings } = this.#options;
    const { sampling } = chat;
    const known = this.#store.answerTokens.ofChat(chat.id);
    const tokensOf = givenMake === null ? known : new Map([...known, [draft.id, givenMake.tokens]]);
    const scene = { engine, chat, conversation, tokensOf };
    const view = planContext(scene);
    const answer = withCut(draft, view.cut);
    const running = new RunningAnswer(this.#options, answer, {
      prompt: view.prompt,
      prepare: view.toSummarise.length > 0 ? (signal) => summarised(scene, view, signal) : null,
      sampling,
      logprobs: settings.current.logprobs,
      knownBeforeTyping,
      make: givenMake ?? (answer.content === '' ? nothingMade : this.#makeOf(answer.id, tokensOf)),
    });
    try {
      commit(answer);
    } catch (error) {
      running.discard();
      throw error;
    }
    this.#running.set(running.generationId, running);
    this.#publishList();
    void running.done.then((stored) => {
      this.#running.delete(running.generationId);
      this.#publishList();
      if (stored) onAnswered?.(stored);
      if (this.#running.size === 0) onRest?.();
    });
    return { generationId: running.generationId, answer };
  }

  #makeOf(messageId: string, tokensOf: ReadonlyMap<string, Int32Array>): AnswerMake | null {
    const tokens = tokensOf.get(messageId);
    return tokens === undefined ? null : { tokens, details: this.#store.answerTokens.details(messageId) };
  }

  #newMessage(chatId: string, parentId: string | null, role: Message['role'], content: string): Message {
    const status = role === 'user' ? 'complete' : 'streaming';
    return {
      id: randomUUID(),
      chatId,
      parentId,
      role,
      content,
      createdAt: this.#now(),
      status,
      error: null,
      stats: null,
    };
  }

  #runningIn(chatId: string): RunningAnswer | undefined {
    return [...this.#running.values()].find((answer) => answer.chatId === chatId);
  }

  #idleChat(chatId: string): Chat {
    if (this.#closing) throw new AppError('CANCELLED', 'Nemoflash is closing.');
    const chat = this.#store.get(chatId);
    if (this.#runningIn(chatId)) {
      throw new AppError('BUSY', 'This chat is still being answered. Wait for the end, or stop it first.', {
        retryable: true,
      });
    }
    return chat;
  }

  #withRunningText(chat: Chat): Chat {
    const running = this.#runningIn(chat.id);
    if (!running) return chat;
    const messages = chat.messages.map((message) =>
      message.id === running.messageId ? { ...message, content: running.sentContent } : message,
    );
    return { ...chat, messages };
  }

  #publishList(): void {
    this.#options.publish('chats.changed', this.#store.list());
  }
}
