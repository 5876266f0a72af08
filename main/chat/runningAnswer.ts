/** One answer in the making: from the engine's frames to the page and to the disk. */
import { randomUUID } from 'node:crypto';

import type { Message, SamplingOptions, TokenTiming } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { ErrorInfo } from '../contract/errors.ts';
import type { EventName, Events } from '../contract/ipc.ts';
import type { EngineService, Frame, GenerateResult, Prompt } from '../engine/engineApi.ts';
import type { ChatStore } from '../history/chatStore.ts';
import { maxTimingsPerAnswer } from '../history/chatStore.ts';
import type { Log } from '../log.ts';
import { FrameCoalescer } from './frameCoalescer.ts';

export type Publish = <E extends EventName>(event: E, payload: Events[E]) => void;

/** Text waits no longer than this for the disk. */
const checkpointMs = 1000;

interface Surroundings {
  readonly engine: EngineService;
  readonly store: ChatStore;
  readonly publish: Publish;
  readonly log: Log;
}

/** How the generation ended: with a result, or without and why. */
type Ending = { readonly result: GenerateResult } | { readonly error: ErrorInfo };

const timingOf = ({ stampNs, forwardNs, sampleNs }: TokenTiming): TokenTiming => ({ stampNs, forwardNs, sampleNs });

export class RunningAnswer {
  readonly generationId = randomUUID();
  readonly #surroundings: Surroundings;
  readonly #message: Message;
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
  constructor(surroundings: Surroundings, message: Message, prompt: Prompt, sampling: SamplingOptions) {
    this.#surroundings = surroundings;
    this.#message = message;
    this.#content = message.content;
    this.#sentContent = message.content;
    this.#frames = new FrameCoalescer((text, timings) => this.#publishTokens(text, timings));
    this.done = this.#run(prompt, sampling);
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

  async #run(prompt: Prompt, sampling: SamplingOptions): Promise<Message | null> {
    const ending = await this.#generate(prompt, sampling);
    if (this.#checkpointTimer !== null) clearTimeout(this.#checkpointTimer);
    this.#checkpointTimer = null;
    if (this.#fate === 'discarded') return null;
    this.#frames.flush();
    return this.#store(this.#finished(ending));
  }

  async #generate(prompt: Prompt, sampling: SamplingOptions): Promise<Ending> {
    const identity = { generationId: this.generationId, chatId: this.chatId, messageId: this.messageId };
    try {
      const result = await this.#surroundings.engine.generate({
        prompt,
        sampling,
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
    const { text, stats } = ending.result;
    const status = interrupted ? 'interrupted' : stats.finishReason === 'error' ? 'failed' : 'complete';
    return { ...this.#message, content: this.#message.content + text, status, error: null, stats };
  }

  #store(message: Message): Message {
    const { store, publish, log } = this.#surroundings;
    let stored = message;
    try {
      store.finish(message, this.#timings);
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
