/**
 * The page's only way out: window.bridge under Electron, a WebSocket in the web shell. Opens the envelope, so that
 * callers get the reply or an AppError.
 */
import type { Bridge, Reply, Request, RouteName } from '../main/contract/ipc.ts';
import type { EventName, Events } from '../main/contract/ipcEvents.ts';
import { AppError } from '../main/contract/errors.ts';
import { openSocketBridge } from './socketBridge.ts';
import type { Connection } from './socketBridge.ts';

declare global {
  interface Window {
    /** Put there by the preload script; absent in a plain browser. */
    readonly bridge?: Bridge;
  }
}

export type { Connection };

const socket = window.bridge === undefined ? openSocketBridge(location.href) : null;
const bridge: Bridge = window.bridge ?? socket!.bridge;

/** Throws AppError, and nothing else: CONNECTION_LOST when main cannot be reached. */
export async function request<N extends RouteName>(route: N, input: Request<N>): Promise<Reply<N>> {
  const envelope = await bridge.request(route, input).catch(() => {
    throw new AppError('CONNECTION_LOST', 'Nemoflash does not answer. Close the window and open it again.', {
      retryable: true,
    });
  });
  if (envelope.ok) return envelope.value;
  const { code, message, retryable } = envelope.error;
  throw new AppError(code, message, { retryable });
}

/** Returns the function that ends the subscription. */
export function on<E extends EventName>(event: E, listener: (payload: Events[E]) => void): () => void {
  return bridge.on(event, listener);
}

/** Where a dropped file or folder lies; null in a browser, which does not tell. */
export function pathOf(file: File): string | null {
  return window.bridge?.pathOf?.(file as never) || null;
}

/**
 * Calls at once with the present state and then at every change. After 'lost' comes 'open' again, and whatever was
 * missed in between must be asked for; 'refused' is final. Under Electron it is always 'open'.
 */
export function onConnection(listener: (connection: Connection) => void): () => void {
  if (socket !== null) return socket.onConnection(listener);
  listener('open');
  return () => undefined;
}
