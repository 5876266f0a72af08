/** A small client of the Chrome DevTools Protocol: one socket, a session per target. */
import { EventEmitter, once } from 'node:events';

import { WebSocket } from 'ws';

export type Params = Readonly<Record<string, unknown>>;

export class CdpSession extends EventEmitter {
  readonly id: string | undefined;
  readonly #connection: CdpConnection;

  constructor(connection: CdpConnection, id?: string) {
    super();
    this.#connection = connection;
    this.id = id;
  }

  send<T = Params>(method: string, params: Params = {}): Promise<T> {
    return this.#connection.send<T>(method, params, this.id);
  }
}

interface Pending {
  resolve(result: never): void;
  reject(error: Error): void;
}

export class CdpConnection {
  readonly #socket: WebSocket;
  readonly #pending = new Map<number, Pending>();
  readonly #sessions = new Map<string | undefined, CdpSession>();
  readonly browser = this.session();
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#receive(JSON.parse(String(data))));
    socket.on('close', () => {
      for (const { reject } of this.#pending.values()) reject(new Error('Chromium is gone.'));
      this.#pending.clear();
      this.browser.emit('disconnected');
    });
  }

  static async open(url: string): Promise<CdpConnection> {
    const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 256 * 1024 * 1024 });
    await once(socket, 'open');
    return new CdpConnection(socket);
  }

  session(id?: string): CdpSession {
    const session = this.#sessions.get(id) ?? new CdpSession(this, id);
    this.#sessions.set(id, session);
    return session;
  }

  send<T>(method: string, params: Params, sessionId: string | undefined): Promise<T> {
    const id = (this.#lastId += 1);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise<T>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
  }

  #receive(
    message: { id?: number; result?: never; error?: { message: string }; method?: string; sessionId?: string } & {
      params?: Params;
    },
  ): void {
    if (message.id === undefined) {
      this.#sessions.get(message.sessionId)?.emit(message.method ?? '', message.params ?? {});
      return;
    }
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.error) pending?.reject(new Error(message.error.message));
    else pending?.resolve(message.result as never);
  }
}
