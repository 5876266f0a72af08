/** Listens for the API on its own port, with limits that slow, greedy or broken clients run into. */
import { createServer } from 'node:http';
import type { RequestListener, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

import { AppError } from '../contract/errors.ts';
import type { Api } from './api.ts';
import { ApiError } from './apiErrors.ts';

export interface ListenOptions {
  readonly port: number;
  /** Loopback unless the user exposed the server on purpose. */
  readonly host: string;
}

export interface Limits {
  /** For a request's headers, and for the whole of it. */
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  /** How often they are looked at. */
  readonly connectionsCheckingInterval: number;
}

const usualLimits: Limits = { headersTimeout: 10_000, requestTimeout: 60_000, connectionsCheckingInterval: 2_000 };

/** A server with limits of time and size; the web shell, which serves the API beside the page, takes it too. */
export function createLimitedServer(listener?: RequestListener, limits: Limits = usualLimits): Server {
  // A request without a Host is refused by the guard, in the API's form.
  const kept = { maxHeaderSize: 32 * 1024, keepAliveTimeout: 30_000, requireHostHeader: false };
  const server = createServer({ ...limits, ...kept });
  server.maxHeadersCount = 100;
  server.maxConnections = 512;
  const latest = new WeakMap<Duplex, ServerResponse>();
  server.on('request', (request, response) => latest.set(request.socket, response));
  server.on('clientError', (cause: NodeJS.ErrnoException, socket) => refuseOnWire(cause, socket, latest.get(socket)));
  server.on('checkExpectation', (_, response) => {
    const { body } = new ApiError(417, 'invalid_request_error', 'Of all expectations 100-continue alone is met.');
    response.writeHead(417, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body));
  });
  if (listener !== undefined) server.on('request', listener);
  return server;
}

/** What is no HTTP at all is answered in the API's form, too, and the connection ends. */
function refuseOnWire(cause: NodeJS.ErrnoException, socket: Duplex, latest: ServerResponse | undefined): void {
  // In the middle of a stream the refusal would be read as part of it.
  const isAnswering = latest?.headersSent === true && !latest.writableEnded;
  const { status, reason, message } =
    cause.code === 'HPE_HEADER_OVERFLOW'
      ? { status: 431, reason: 'Request Header Fields Too Large', message: 'The headers are too large.' }
      : cause.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? { status: 408, reason: 'Request Timeout', message: 'The request took too long to arrive.' }
        : { status: 400, reason: 'Bad Request', message: 'This is not a valid HTTP request.' };
  if (cause.code === 'ECONNRESET' || !socket.writable || isAnswering) return void socket.destroy();
  const body = JSON.stringify(new ApiError(status, 'invalid_request_error', message).body);
  const headers = `content-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close`;
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${headers}\r\n\r\n${body}`, () => socket.destroy());
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  }).catch((error: NodeJS.ErrnoException) => {
    throw new AppError(
      'BAD_ARGUMENT',
      error.code === 'EADDRINUSE'
        ? `Port ${port} is taken by another program. Choose another one.`
        : `Cannot listen on ${host} port ${port}: ${error.message}`,
      { cause: error },
    );
  });
  return (server.address() as AddressInfo).port;
}

export class ApiServer {
  readonly #servers: Server[] = [];
  readonly #api: Api;
  readonly #limits: Limits | undefined;
  url = '';

  constructor(api: Api, limits?: Limits) {
    this.#api = api;
    this.#limits = limits;
  }

  /** On loopback both 127.0.0.1 and, where the system has it, ::1: many clients try localhost there first. */
  async start({ host, port }: ListenOptions): Promise<string> {
    const make = (): Server =>
      createLimitedServer((request, response) => void this.#api.handle(request, response), this.#limits);
    const first = make();
    const bound = await listen(first, host, port);
    this.#servers.push(first);
    if (host === '127.0.0.1') {
      const second = make();
      await listen(second, '::1', bound).then(
        () => this.#servers.push(second),
        async (error: AppError) => {
          // Without IPv6 there is nothing to miss. Another program's port would be asked by who calls localhost.
          if ((error.cause as NodeJS.ErrnoException).code !== 'EADDRINUSE' || port === 0) return;
          await this.close();
          throw error;
        },
      );
    }
    this.url = `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
    return this.url;
  }

  /** Takes no more requests, ends the answers under way with an error that says so, and closes what is open. */
  async close(): Promise<void> {
    const servers = this.#servers.splice(0);
    const closed = servers.map(async (server) => new Promise<void>((resolve) => server.close(() => resolve())));
    await this.#api.endAnswers();
    for (const server of servers) server.closeAllConnections();
    await Promise.all(closed);
  }
}
