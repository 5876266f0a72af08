/** The Bridge over the web shell's WebSocket. Reconnects for as long as the page lives. */
import type { Bridge } from '../main/contract/ipc.ts';
import type { Envelope } from '../main/contract/errors.ts';
import { closedWithoutSession, socketPath } from '../main/contract/wire.ts';
import type { MainFrame, RequestFrame } from '../main/contract/wire.ts';

/** connecting: first attempt; lost: trying again; refused: this browser has no session, so no attempt can succeed. */
export type Connection = 'connecting' | 'open' | 'lost' | 'refused';

export interface SocketBridge {
  readonly bridge: Bridge;
  onConnection(listener: (connection: Connection) => void): () => void;
}

const firstRetryMs = 250;
const longestRetryMs = 5000;

const lost: Envelope<never> = {
  ok: false,
  error: {
    code: 'CONNECTION_LOST',
    message: 'The connection to Nemoflash was lost. It comes back by itself once Nemoflash runs again.',
    retryable: true,
  },
};
const refused: Envelope<never> = {
  ok: false,
  error: {
    code: 'FORBIDDEN',
    message: 'This browser has no access. Open the link that Nemoflash printed when it started.',
    retryable: false,
  },
};

type Settle = (envelope: Envelope<unknown>) => void;

/** `pageUrl`: where the page came from; its socket is at the same place. */
export function openSocketBridge(pageUrl: string): SocketBridge {
  const listeners = new Map<string, Set<(payload: never) => void>>();
  const connectionListeners = new Set<(connection: Connection) => void>();
  const open = new Map<number, Settle>();
  /** Asked before the socket was open. */
  const waiting: string[] = [];
  let connection: Connection = 'connecting';
  let socket: WebSocket | null = null;
  let retryMs = firstRetryMs;
  let lastId = 0;

  function change(next: Connection): void {
    if (next === connection) return;
    connection = next;
    for (const listener of [...connectionListeners]) listener(next);
  }

  function settleAll(envelope: Envelope<never>): void {
    waiting.length = 0;
    for (const settle of open.values()) settle(envelope);
    open.clear();
  }

  function receive(frame: MainFrame): void {
    if ('event' in frame) {
      for (const listener of [...(listeners.get(frame.event) ?? [])]) listener(frame.payload as never);
    } else if (frame.id !== null) {
      open.get(frame.id)?.(frame.envelope);
      open.delete(frame.id);
    }
  }

  function connect(): void {
    const url = new URL(socketPath, pageUrl);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    socket = new WebSocket(url);
    socket.onopen = () => {
      retryMs = firstRetryMs;
      for (const text of waiting.splice(0)) socket?.send(text);
      change('open');
    };
    socket.onmessage = ({ data }) => receive(JSON.parse(data as string) as MainFrame);
    socket.onclose = ({ code }) => {
      socket = null;
      if (code === closedWithoutSession) {
        settleAll(refused);
        change('refused');
        return;
      }
      settleAll(lost);
      change('lost');
      setTimeout(connect, retryMs);
      retryMs = Math.min(2 * retryMs, longestRetryMs);
    };
  }

  const bridge: Bridge = {
    request: (route, input) =>
      new Promise((resolve) => {
        if (connection === 'refused') return resolve(refused);
        if (connection === 'lost') return resolve(lost);
        const id = (lastId += 1);
        const frame: RequestFrame = { id, route, input };
        open.set(id, resolve as Settle);
        if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
        else waiting.push(JSON.stringify(frame));
      }),
    on(event, listener) {
      const own = listeners.get(event) ?? new Set();
      listeners.set(event, own.add(listener));
      return () => own.delete(listener);
    },
  };

  connect();
  return {
    bridge,
    onConnection(listener) {
      connectionListeners.add(listener);
      listener(connection);
      return () => connectionListeners.delete(listener);
    },
  };
}
