/**
 * Server-sent events as OpenAI's clients read them. `plain` (completions): `data: {json}`, at the end `data: [DONE]`.
 * `typed` (responses): an `event:` line with the type, and no end mark.
 */
import type { ServerResponse } from 'node:http';

import type { ApiError } from './apiErrors.ts';

/** Comments keep proxies and clients patient while a long prompt is read. */
const pingMs = 10_000;

/** What waits for a client that does not read: more is a client that has stopped reading, and its memory is ours. */
const maxWaitingBytes = 4 * 1024 * 1024;

export type EventStyle = 'plain' | 'typed';

export class EventStream {
  readonly #response: ServerResponse;
  readonly #style: EventStyle;
  readonly #ping: NodeJS.Timeout;

  constructor(response: ServerResponse, headers: Readonly<Record<string, string>>, style: EventStyle) {
    this.#response = response;
    this.#style = style;
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      connection: 'keep-alive',
      'x-accel-buffering': 'no',
    });
    response.flushHeaders();
    response.socket?.setNoDelay(true);
    this.#ping = setInterval(() => response.write(': ping\n\n'), pingMs);
    this.#ping.unref();
    response.once('close', () => clearInterval(this.#ping));
  }

  send(event: object): void {
    const name = this.#style === 'typed' && 'type' in event ? `event: ${String(event.type)}\n` : '';
    this.#response.write(`${name}data: ${JSON.stringify(event)}\n\n`);
    if (this.#response.writableLength > maxWaitingBytes) this.#response.destroy();
  }

  done(): void {
    clearInterval(this.#ping);
    this.#response.end(this.#style === 'plain' ? 'data: [DONE]\n\n' : '');
  }

  /** An error after the headers: clients raise on an event with a truthy `error`. */
  fail(error: ApiError): void {
    clearInterval(this.#ping);
    this.#response.end(`data: ${JSON.stringify(error.body)}\n\n`);
  }
}
