/** Server-sent events as OpenAI's clients read them: `data: {json}`, at the end `data: [DONE]`. */
import type { ServerResponse } from 'node:http';

import type { ApiError } from './apiErrors.ts';

/** Comments keep proxies and clients patient while a long prompt is read. */
const pingMs = 10_000;

export class EventStream {
  readonly #response: ServerResponse;
  readonly #ping: NodeJS.Timeout;

  constructor(response: ServerResponse, headers: Readonly<Record<string, string>>) {
    this.#response = response;
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
    this.#response.write(`data: ${JSON.stringify(event)}\n\n`);
  }

  done(): void {
    clearInterval(this.#ping);
    this.#response.end('data: [DONE]\n\n');
  }

  /** An error after the headers: clients raise on an event with a truthy `error`. */
  fail(error: ApiError): void {
    clearInterval(this.#ping);
    this.#response.end(`data: ${JSON.stringify(error.body)}\n\n`);
  }
}
