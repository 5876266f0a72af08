/** Listens for the API on its own port, with limits that slow, greedy or broken clients run into. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { AppError } from '../contract/errors.ts';
import type { Api } from './api.ts';

export interface ListenOptions {
  readonly port: number;
  /** Loopback unless the user exposed the server on purpose. */
  readonly host: string;
}

/** Time and size limits, shared with the web shell, which serves the API beside the page. */
export function limit(server: Server): Server {
  server.headersTimeout = 10_000;
  server.requestTimeout = 60_000;
  server.keepAliveTimeout = 30_000;
  server.maxHeadersCount = 100;
  server.maxConnections = 512;
  return server;
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
        ? `Port ${port} is taken by another program. Choose another one, or 0 for any that is free.`
        : `Cannot listen on ${host} port ${port}: ${error.message}`,
      { cause: error },
    );
  });
  return (server.address() as AddressInfo).port;
}

export class ApiServer {
  readonly #servers: Server[] = [];
  readonly #api: Api;
  url = '';

  constructor(api: Api) {
    this.#api = api;
  }

  /** On loopback both 127.0.0.1 and, where the system has it, ::1: many clients try localhost there first. */
  async start({ host, port }: ListenOptions): Promise<string> {
    const make = (): Server =>
      limit(
        createServer({ maxHeaderSize: 32 * 1024 }, (request, response) => void this.#api.handle(request, response)),
      );
    const first = make();
    const bound = await listen(first, host, port);
    this.#servers.push(first);
    if (host === '127.0.0.1') {
      const second = make();
      await listen(second, '::1', bound).then(
        () => this.#servers.push(second),
        () => undefined, // no IPv6 here, or the port is somebody else's there
      );
    }
    this.url = `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
    return this.url;
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#servers.splice(0).map(
        async (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeAllConnections();
          }),
      ),
    );
  }
}
