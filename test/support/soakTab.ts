/** A tab of the web shell without a browser: one WebSocket, requests by number, and the answers that ended. */
import { once } from 'node:events';

import { WebSocket } from 'ws';

import type { Message } from '../../main/contract/domain.ts';
import type { Envelope } from '../../main/contract/errors.ts';
import { socketPath } from '../../main/contract/wire.ts';

export interface Tab {
  /** Throws with the refusal's words. */
  ask<T>(route: string, input: object): Promise<T>;
  /** The stored answer of a generation that was begun from any tab; it must not be asked for twice. */
  finished(generationId: string): Promise<Message>;
  /** Asks again and again, ten times a second. */
  until<T>(route: string, isThere: (value: T) => boolean): Promise<void>;
  close(): void;
}

interface Pending {
  resolve(value: never): void;
  reject(error: Error): void;
}

export async function openTab(url: string, cookie: string): Promise<Tab> {
  const socket = new WebSocket(url.replace('http', 'ws') + socketPath, { origin: url, headers: { cookie } });
  await once(socket, 'open');
  const pending = new Map<number, Pending>();
  const ended = new Map<string, Message>();
  const awaited = new Map<string, (message: Message) => void>();
  let lastId = 0;

  const onFinished = (generationId: string, message: Message): void => {
    const resolve = awaited.get(generationId);
    awaited.delete(generationId);
    if (resolve === undefined) ended.set(generationId, message);
    else resolve(message);
  };
  socket.on('message', (data) => {
    const frame = JSON.parse(String(data)) as {
      readonly id?: number;
      readonly envelope?: Envelope<never>;
      readonly event?: string;
      readonly payload?: { readonly generationId: string; readonly message: Message };
    };
    if (frame.event === 'chat.finished' && frame.payload !== undefined) {
      onFinished(frame.payload.generationId, frame.payload.message);
    }
    if (frame.id === undefined || frame.envelope === undefined) return;
    const request = pending.get(frame.id);
    pending.delete(frame.id);
    if (frame.envelope.ok) request?.resolve(frame.envelope.value);
    else request?.reject(new Error(`${frame.envelope.error.code}: ${frame.envelope.error.message}`));
  });
  socket.on('close', () => {
    for (const { reject } of pending.values()) reject(new Error('The connection was closed.'));
  });

  const ask = <T>(route: string, input: object): Promise<T> => {
    const id = (lastId += 1);
    socket.send(JSON.stringify({ id, route, input }));
    return new Promise<T>((resolve, reject) => pending.set(id, { resolve, reject }));
  };
  return {
    ask,
    finished(generationId) {
      const message = ended.get(generationId);
      ended.delete(generationId);
      if (message !== undefined) return Promise.resolve(message);
      return new Promise((resolve) => awaited.set(generationId, resolve));
    },
    async until(route, isThere) {
      while (!isThere(await ask(route, {}))) await new Promise((resolve) => setTimeout(resolve, 100));
    },
    close: () => socket.close(),
  };
}
