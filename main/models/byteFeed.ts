/**
 * The body of one answer, handed on in batches: few and large ones while it comes fast, so that neither the event loop
 * nor the disk is asked for every packet; at least several per second while it comes slowly.
 */
import type { Dispatcher } from 'undici';

export interface AnswerHead {
  readonly status: number;
  readonly headers: Headers;
}

/** A reader is called when so much has come, */
const batchBytes = 1024 * 1024;
/** or when its oldest byte has waited so long. */
const batchMs = 100;
/** More than this is not taken from the connection before the reader comes back. */
const fullBytes = 2 * batchBytes;

type Controller = Dispatcher.DispatchController;

export class ByteFeed implements Dispatcher.DispatchHandler {
  readonly #head = Promise.withResolvers<AnswerHead>();
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = () => this.cancel(this.#signal?.reason as Error);
  #controller: Controller | null = null;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #ended = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#head.promise.catch(() => undefined);
  }

  /** Status and headers. Rejects with what the connection met. */
  get head(): Promise<AnswerHead> {
    return this.#head.promise;
  }

  /** The next bytes, in order; null at the end. Throws what the connection met, once everything before is handed out. */
  async next(): Promise<readonly Uint8Array[] | null> {
    while (!this.#ended && this.#bytes < batchBytes) {
      if (!(await this.#more())) break;
    }
    if (this.#bytes === 0 && this.#error) throw this.#error;
    if (this.#bytes === 0) return null;
    const batch = this.#chunks;
    this.#chunks = [];
    this.#bytes = 0;
    if (this.#controller?.paused) this.#controller.resume();
    return batch;
  }

  /** Gives the connection up, unless the answer has come to its end. */
  cancel(reason: Error = new Error('the answer is not wanted any more')): void {
    if (this.#ended) return;
    this.#controller?.abort(reason);
    this.#end(reason);
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    if (this.#signal?.aborted) this.cancel(this.#signal.reason as Error);
    else if (this.#ended) controller.abort(this.#error ?? new Error('cancelled'));
  }

  onResponseStart(
    _controller: Controller,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    const list = new Headers();
    for (const [name, value] of Object.entries(headers)) {
      for (const one of [value ?? []].flat()) list.append(name, one);
    }
    // Informational answers come before the real one.
    if (status >= 200) this.#head.resolve({ status, headers: list });
  }

  onResponseData(controller: Controller, chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.byteLength;
    if (this.#bytes >= fullBytes) controller.pause();
    if (this.#bytes >= batchBytes || this.#chunks.length === 1) this.#wake?.();
  }

  onResponseEnd(): void {
    this.#end(null);
  }

  onResponseError(_controller: Controller, error: Error): void {
    this.#end(error);
  }

  #end(error: Error | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#head.reject(error ?? new Error('the connection ended without an answer'));
    this.#wake?.();
  }

  /** Waits for news; with bytes at hand no longer than they may wait. Returns whether there were any. */
  async #more(): Promise<boolean> {
    const news = Promise.withResolvers<boolean>();
    const timer = this.#bytes > 0 ? setTimeout(() => news.resolve(false), batchMs) : null;
    this.#wake = () => news.resolve(true);
    const came = await news.promise;
    if (timer) clearTimeout(timer);
    this.#wake = null;
    return came;
  }
}
