/** The router over WebSockets, one per tab; the only user of ws. */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

import { WebSocketServer } from 'ws';
import type { RawData, WebSocket } from 'ws';
import { z } from 'zod';

import { maxMessageChars } from '../contract/domain.ts';
import { closedWithoutSession, socketPath } from '../contract/wire.ts';
import type { MainFrame } from '../contract/wire.ts';
import { refusal } from './router.ts';
import type { Router } from './router.ts';
import type { WebAccess } from './webAccess.ts';

/** The longest message a request may carry, at up to 6 bytes a character once escaped, and its frame. */
export const maxFrameBytes = 6 * maxMessageChars + 65_536;
/** A tab that reads so slowly is cut off; it reconnects and asks for what it missed. */
const maxUnsentBytes = 64 * 1024 * 1024;
const heartbeatMs = 30_000;

const requestFrameSchema = z.strictObject({ id: z.int().min(0), route: z.string().max(200), input: z.unknown() });

export interface WebSocketTransport {
  /** Closes every tab's socket and stops accepting. */
  close(): void;
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function send(socket: WebSocket, frame: MainFrame): void {
  if (socket.readyState !== socket.OPEN) return;
  if (socket.bufferedAmount > maxUnsentBytes) socket.terminate();
  else socket.send(JSON.stringify(frame));
}

/** Null for what is not a request frame. Even the schema may throw: comparing an object that has its own toString does. */
function readFrame(data: RawData): z.output<typeof requestFrameSchema> | null {
  try {
    return requestFrameSchema.parse(JSON.parse((data as Buffer).toString('utf8')));
  } catch {
    return null;
  }
}

/** A broken frame is answered and nothing else: one bad message does not cost a tab its connection. */
async function answer(socket: WebSocket, router: RouterLike, data: RawData, isBinary: boolean): Promise<void> {
  const frame = isBinary ? null : readFrame(data);
  if (frame === null) {
    const envelope = refusal('BAD_REQUEST', 'Not a request frame: expected JSON text with id, route and input.');
    return send(socket, { id: null, envelope });
  }
  const { id, route, input } = frame;
  send(socket, { id, envelope: await (await router).request(route, input) });
}

/** The page may ask before the services behind the router are there: its requests wait for them. */
type RouterLike = Router | Promise<Router>;

/** A router that cannot be had ends the app, and every socket with it. */
export function acceptSockets(server: Server, router: RouterLike, access: WebAccess): WebSocketTransport {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxFrameBytes, perMessageDeflate: false });
  const answering = new WeakSet<WebSocket>();

  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    stream.on('error', () => stream.destroy());
    const { host, origin, cookie } = request.headers;
    if (request.url !== socketPath) return refuseUpgrade(stream, '404 Not Found');
    if (!access.isOurHost(host) || !access.isOurOrigin(origin, host)) return refuseUpgrade(stream, '403 Forbidden');
    sockets.handleUpgrade(request, stream, head, (socket) => {
      // A page cannot read a refused upgrade's status, but it can read a closing code.
      if (!access.hasSession(cookie)) return socket.close(closedWithoutSession, 'no session');
      serve(socket);
    });
  };

  function serve(socket: WebSocket): void {
    answering.add(socket);
    socket.on('pong', () => answering.add(socket));
    socket.on('message', (data, isBinary) => {
      answer(socket, router, data, isBinary).catch(() => socket.terminate()); // there will be no router
    });
    socket.on('error', () => socket.terminate()); // a frame over the limit, or not WebSocket at all
    void subscribe(socket).catch(() => undefined); // whoever awaits the router says why
  }

  async function subscribe(socket: WebSocket): Promise<void> {
    const { events } = await router;
    if (socket.readyState === socket.CLOSED) return;
    socket.once(
      'close',
      events.subscribe((event, payload) => send(socket, { event, payload })),
    );
  }

  const heartbeat = setInterval(() => {
    for (const socket of sockets.clients) {
      if (!answering.delete(socket)) socket.terminate();
      else socket.ping();
    }
  }, heartbeatMs);
  heartbeat.unref();
  server.on('upgrade', onUpgrade);

  return {
    close() {
      clearInterval(heartbeat);
      server.off('upgrade', onUpgrade);
      for (const socket of sockets.clients) socket.close(1001, 'closing');
      sockets.close();
    },
  };
}
