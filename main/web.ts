/** The web shell: the built page and the same router over WebSockets, on loopback, for those who hold its link. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { AppError } from './contract/errors.ts';
import type { Router } from './ipc/router.ts';
import { WebAccess } from './ipc/webAccess.ts';
import { acceptSockets } from './ipc/websocket.ts';
import { readPageFile, securityHeaders } from './page.ts';
import type { Api } from './server/api.ts';
import { createLimitedServer } from './server/apiServer.ts';

export interface WebShellOptions {
  /** Requests wait for it; pages do not. */
  readonly router: Promise<Router>;
  /** 0: any that is free. */
  readonly port: number;
  /** Folder of the built page. */
  readonly page: string;
  /** Served beside the page. */
  readonly api: Promise<Api>;
  /** Receives what a browser must not see. */
  readonly onUnexpected: (place: string, error: unknown) => void;
}

export interface WebShell {
  /** http://127.0.0.1:PORT */
  readonly url: string;
  /** A new link that lets one browser in, once. */
  createLink(): string;
  close(): Promise<void>;
}

/** Throws BAD_ARGUMENT when the port cannot be had. */
export async function startWebShell(options: WebShellOptions): Promise<WebShell> {
  const server = createLimitedServer();
  const port = await listen(server, options.port);
  const access = new WebAccess(port);
  const sockets = acceptSockets(server, options.router, access);
  server.on('request', (request, response) => {
    answer(options, access, request, response).catch((error: unknown) => {
      options.onUnexpected('page', error);
      if (response.headersSent) response.destroy();
      else sendText(response, 500, 'Something went wrong inside Nemoflash. The log has the details.');
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    createLink: () => access.createLink(),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      sockets.close();
      // Services that could not be built have no answers to end.
      await options.api.then(
        (api) => api.endAnswers(),
        () => undefined,
      );
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  { api, page }: WebShellOptions,
  access: WebAccess,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!isPagePath(request.url)) {
    const ready = await api;
    if (ready.owns(request.url)) return ready.handle(request, response);
  }
  return answerPage(page, access, request, response);
}

/** What the page alone can mean, so that it is served before the services are there. */
const isPagePath = (url = '/'): boolean => /^\/(index\.html|assets\/[^?]*)?(\?|$)/.test(url);

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE';
      const reason = taken
        ? `Port ${port} is taken by another program.`
        : `Port ${port} cannot be used: ${cause.message}.`;
      reject(
        new AppError('BAD_ARGUMENT', `${reason} Choose another one with --port, or 0 for any free one.`, { cause }),
      );
    });
    server.listen({ host: '127.0.0.1', port }, () => resolve((server.address() as AddressInfo).port));
  });
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...securityHeaders("'none'"), 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}

/**
 * Goes on to the page by a refresh instead of a redirect: a redirect would count as coming from wherever the link was
 * clicked, and a SameSite=Strict cookie would not be sent along.
 */
function sendEntry(response: ServerResponse, cookie: string): void {
  response.writeHead(200, {
    ...securityHeaders("'none'"),
    'content-type': 'text/html; charset=utf-8',
    'set-cookie': cookie,
  });
  response.end(
    '<!doctype html><meta http-equiv="refresh" content="0; url=/"><link rel="icon" href="data:,"><title>Nemoflash</title>',
  );
}

async function answerPage(
  page: string,
  access: WebAccess,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { host, cookie } = request.headers;
  if (!access.isOurHost(host)) return sendText(response, 403, 'This host name is not served here.');
  if (request.method !== 'GET' && request.method !== 'HEAD') return sendText(response, 405, 'Only GET is served here.');
  const url = URL.parse(request.url ?? '/', `http://${host}`);
  if (url === null) return sendText(response, 400, 'Not a valid address.');

  const token = url.pathname === '/' ? url.searchParams.get('token') : null;
  const session = token === null ? null : access.redeem(token);
  if (session !== null) return sendEntry(response, session);
  if (!access.hasSession(cookie)) {
    const problem =
      token === null ? 'This browser has no access yet.' : 'This link was used already, or is not from here.';
    return sendText(
      response,
      403,
      `${problem}\nOpen the link that Nemoflash printed; press Enter there for a new one.`,
    );
  }
  // Same origin: an upgrade to WebSocket is same-origin for 'self' in some browsers only.
  const file = await readPageFile(page, url.pathname, `ws://${host}`);
  if (file === null) return sendText(response, 404, 'Not found.');
  response.writeHead(200, file.headers).end(request.method === 'HEAD' ? undefined : file.body);
}
