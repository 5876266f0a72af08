/** One answer in the making: from the engine's frames to the page and to the disk. */
import { randomUUID } from 'node:crypto';

import type { ContextCut, GenerationStats, Message, SamplingOptions, TokenTiming } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { ErrorInfo } from '../contract/errors.ts';
import type { EventName, Events } from '../contract/ipcEvents.ts';
import type { EngineService, Frame, GenerateResult, Prompt, Tokenizer } from '../engine/engineApi.ts';
import type { AnswerMake, ChatStore } from '../history/chatStore.ts';
import { maxTimingsPerAnswer } from '../history/answerTimings.ts';
import type { Log } from '../log.ts';
import { withCut } from './contextPlan.ts';
import { FrameCoalescer } from './frameCoalescer.ts';
import { tokenDetails } from './tokenDetails.ts';

export type Publish = <E extends EventName>(event: E, payload: Events[E]) => void;

/** Text waits no longer than this for the disk. */
const checkpointMs = 1000;

interface Surroundings {
  readonly engine: EngineService;
  readonly store: ChatStore;
  readonly publish: Publish;
  readonly log: Log;
}

/** What an answer starts from. */
export interface AnswerStart {
  readonly prompt: Prompt;
  /** What has to be generated before the prompt is final; the prompt above is then not used. */
  readonly prepare: ((signal: AbortSignal) => Promise<{ prompt: Prompt; cut: ContextCut | null }>) | null;
  readonly sampling: SamplingOptions;
  /** Alternatives to remember per token; 0: none, nor how likely the token was. */
  readonly logprobs: number;
  /** Tokens known before the message was typed; null when nothing was read while it was. */
  readonly knownBeforeTyping: number | null;
  /** What the text that is already there was made of; null when nobody knows. */
  readonly make: AnswerMake | null;
}

export const nothingMade: AnswerMake = { tokens: new Int32Array(0), details: [] };

/** How the generation ended: with a result, or without and why. */
type Ending = { readonly result: GenerateResult } | { readonly error: ErrorInfo };

const timingOf = ({ stampNs, forwardNs, sampleNs }: TokenTiming): TokenTiming => ({ stampNs, forwardNs, sampleNs });

export class RunningAnswer {
  readonly generationId = randomUUID();
  readonly #surroundings: Surroundings;
  #message: Message;
  readonly #start: AnswerStart;
  /** Null when no details are wanted. Held, because the model may be unloaded at the answer's end. */
  readonly #tokenizer: Tokenizer | null;
  readonly #abort = new AbortController();
  readonly #frames: FrameCoalescer;
  /** Everything received, the text that was there before a continuation included. */
  #content: string;
  /** The part of it that has left in frames. */
  #sentContent: string;
  #timings: TokenTiming[] = [];
  #checkpointTimer: NodeJS.Timeout | null = null;
  #fate: 'kept' | 'interrupted' | 'discarded' = 'kept';

  /** The answer as it was stored; null when it was discarded. Never rejects. */
  readonly done: Promise<Message | null>;

  /** Hands the prompt to the engine at once. `message` holds the text that is already there. */
  constructor(surroundings: Surroundings, message: Message, start: AnswerStart) {
    this.#surroundings = surroundings;
    this.#message = message;
    this.#start = start;
    this.#tokenizer = start.logprobs > 0 ? surroundings.engine.tokenizer() : null;
    this.#content = message.content;
    this.#sentContent = message.content;
    this.#frames = new FrameCoalescer((text, timings) => this.#publishTokens(text, timings));
    this.done = this.#run();
  }

  get chatId(): string {
    return this.#message.chatId;
  }

  get messageId(): string {
    return this.#message.id;
  }

  /** Exactly what frames have carried so far, so that a page that joins late misses and repeats nothing. */
  get sentContent(): string {
    return this.#sentContent;
  }

  get timings(): readonly TokenTiming[] {
    return this.#timings;
  }

  /** The user's stop: the answer stays, and says that it was stopped. */
  stop(): void {
    this.#abort.abort();
  }

  /** The app goes down: the answer stays as `interrupted`. */
  interrupt(): void {
    this.#fate = 'interrupted';
    this.#abort.abort();
  }

  /** The answer could not be stored to begin with: nothing is kept or published. */
  discard(): void {
    this.#fate = 'discarded';
    this.#abort.abort();
  }

  async #run(): Promise<Message | null> {
    const ending = await this.#generate();
    if (this.#checkpointTimer !== null) clearTimeout(this.#checkpointTimer);
    this.#checkpointTimer = null;
    if (this.#fate === 'discarded') return null;
    this.#frames.flush();
    return this.#store(this.#finished(ending), this.#makeOf(ending));
  }

  async #generate(): Promise<Ending> {
    const { sampling, logprobs, prepare } = this.#start;
    const identity = { generationId: this.generationId, chatId: this.chatId, messageId: this.messageId };
    try {
      // Without anything to prepare there is no waiting: the engine has the prompt when the constructor returns.
      const prompt = prepare === null ? this.#start.prompt : await this.#prepared(prepare);
      const result = await this.#surroundings.engine.generate({
        prompt,
        sampling,
        logprobs,
        signal: this.#abort.signal,
        onPrefill: (progress) => this.#surroundings.publish('chat.prefill', { ...identity, ...progress }),
        onFrame: (frame) => this.#receive(frame),
      });
      return { result };
    } catch (error) {
      if (error instanceof AppError) return { error: error.info };
      this.#surroundings.log.error('chat.generation', error);
      return {
        error: {
          code: 'INTERNAL',
          message: 'Something went wrong while answering. The log has the details; try again.',
          retryable: true,
        },
      };
    }
  }

  async #prepared(prepare: NonNullable<AnswerStart['prepare']>): Promise<Prompt> {
    const { prompt, cut } = await prepare(this.#abort.signal);
    this.#message = withCut(this.#message, cut);
    return prompt;
  }

  #receive(frame: Frame): void {
    if (this.#fate === 'discarded') return;
    this.#content += frame.text;
    const timings = frame.tokens.map(timingOf);
    this.#timings.push(...timings.slice(0, maxTimingsPerAnswer - this.#timings.length));
    this.#frames.add(frame.text, timings);
    if (frame.text !== '') this.#checkpointTimer ??= setTimeout(() => this.#checkpoint(), checkpointMs);
  }

  #checkpoint(): void {
    this.#checkpointTimer = null;
    try {
      this.#surroundings.store.checkpoint(this.messageId, this.#content);
    } catch (error) {
      // The answer goes on; whether it can be stored is decided at its end.
      this.#surroundings.log.error('chat.checkpoint', error);
    }
  }

  #publishTokens(text: string, timings: readonly TokenTiming[]): void {
    this.#sentContent += text;
    this.#surroundings.publish('chat.tokens', {
      generationId: this.generationId,
      chatId: this.chatId,
      messageId: this.messageId,
      text,
      timings,
      sentAt: performance.timeOrigin + performance.now(),
    });
  }

  #finished(ending: Ending): Message {
    const interrupted = this.#fate === 'interrupted';
    if ('error' in ending) {
      // Stopped while it waited in the queue: there is nothing to report.
      const stopped = interrupted || ending.error.code === 'CANCELLED';
      return {
        ...this.#message,
        content: this.#content,
        status: stopped ? 'interrupted' : 'failed',
        error: stopped ? null : ending.error,
        stats: null,
      };
    }
    const { text } = ending.result;
    const stats = this.#withTyped(ending.result.stats);
    const status = interrupted ? 'interrupted' : stats.finishReason === 'error' ? 'failed' : 'complete';
    return { ...this.#message, content: this.#message.content + text, status, error: null, stats };
  }

  #withTyped(stats: GenerationStats): GenerationStats {
    const { knownBeforeTyping } = this.#start;
    if (knownBeforeTyping === null || stats.reusedTokens <= knownBeforeTyping) return stats;
    return { ...stats, typedTokens: stats.reusedTokens - knownBeforeTyping };
  }

  #makeOf(ending: Ending): AnswerMake | null {
    const { make } = this.#start;
    if (make === null || 'error' in ending) return null;
    const { tokens, textTokens } = ending.result;
    // Details stand beside their tokens: after some that have none, there can be no more.
    const isComplete = make.details.length === make.tokens.length;
    const details = this.#tokenizer !== null && isComplete ? tokenDetails(tokens, this.#tokenizer) : [];
    return {
      tokens: Int32Array.from([...make.tokens, ...textTokens]),
      details: [...make.details, ...details.slice(0, textTokens.length)],
    };
  }

  #store(message: Message, make: AnswerMake | null): Message {
    const { store, publish, log } = this.#surroundings;
    let stored = message;
    try {
      store.finish(message, this.#timings, make);
    } catch (error) {
      log.error('chat.finish', error);
      const info: ErrorInfo =
        error instanceof AppError
          ? error.info
          : { code: 'INTERNAL', message: 'The answer could not be saved. Copy it before you go on.', retryable: false };
      stored = { ...message, status: 'failed', error: info };
    }
    publish('chat.finished', { generationId: this.generationId, message: stored });
    return stored;
  }
}
