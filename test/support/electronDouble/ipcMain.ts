/** ipcMain: handlers, and how an invocation reaches them with structured clones on both ways. */
import { decode, encode } from './clone.js';

export interface Frame {
  readonly url: string;
  readonly origin: string;
  readonly parent: Frame | null;
}

interface InvokeEvent {
  readonly sender: unknown;
  readonly senderFrame: Frame | null;
}

type Handler = (event: InvokeEvent, ...args: unknown[]) => unknown;
const handlers = new Map<string, Handler>();

export const ipcMain = {
  handle(channel: string, handler: Handler): void {
    if (handlers.has(channel)) throw new Error(`Attempted to register a second handler for '${channel}'`);
    handlers.set(channel, handler);
  },
  removeHandler(channel: string): void {
    handlers.delete(channel);
  },
};

/** The encoded answer to an encoded invocation; what a handler throws keeps only its text, as in Electron. */
export async function invoke(event: InvokeEvent, text: string): Promise<string> {
  const { id, channel, args } = decode(text) as { id: number; channel: string; args: unknown[] };
  try {
    const handler = handlers.get(channel);
    if (handler === undefined) throw new Error(`No handler registered for '${channel}'`);
    return encode({ id, value: await handler(event, ...args) });
  } catch (error) {
    return encode({ id, error: `Error invoking remote method '${channel}': ${String(error)}` });
  }
}
