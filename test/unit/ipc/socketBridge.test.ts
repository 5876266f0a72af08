/** The page's end and main's end of the WebSocket transport, face to face. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';

import { defaultSettings } from '../../../main/contract/domain.ts';
import type { Router } from '../../../main/ipc/router.ts';
import { WebAccess } from '../../../main/ipc/webAccess.ts';
import { acceptSockets } from '../../../main/ipc/websocket.ts';
import type { WebSocketTransport } from '../../../main/ipc/websocket.ts';
import { openSocketBridge } from '../../../renderer/socketBridge.ts';
import type { Connection } from '../../../renderer/socketBridge.ts';
import { routerWith } from '../../support/handlers.ts';

let server: Server;
let transport: WebSocketTransport;
let router: Router;
let access: WebAccess;
let port: number;
let cookie: string;
/** Requests that were begun and never end by themselves. */
let hanging = 0;

async function listen(wanted: number): Promise<void> {
  server = createServer();
  await once(server.listen(wanted, '127.0.0.1'), 'listening');
  port = (server.address() as AddressInfo).port;
  if (wanted === 0) {
    access = new WebAccess(port);
    cookie = access.redeem(new URL(access.createLink()).searchParams.get('token') ?? '')?.split(';')[0] ?? '';
  }
  transport = acceptSockets(server, router, access);
}

async function hangUp(): Promise<void> {
  transport.close();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

beforeEach(async () => {
  hanging = 0;
  router = routerWith({
    'settings.get': () => defaultSettings,
    'engine.unload': () => {
      hanging += 1;
      return new Promise(() => undefined);
    },
  });
  await listen(0);
  // What a browser adds by itself: where the page is from, and its cookie.
  class BrowserSocket extends WebSocket {
    constructor(url: URL) {
      super(url, { origin: `http://127.0.0.1:${port}`, headers: { cookie } });
      this.on('error', () => undefined);
    }
  }
  vi.stubGlobal('WebSocket', BrowserSocket);
});
afterEach(async () => {
  vi.unstubAllGlobals();
  await hangUp();
});

function open() {
  const { bridge, onConnection } = openSocketBridge(`http://127.0.0.1:${port}/`);
  const states: Connection[] = [];
  onConnection((connection) => states.push(connection));
  return { bridge, states };
}

describe('bridge over WebSocket', () => {
  it('sends what was asked before the connection was open, once it is', async () => {
    const { bridge, states } = open();
    expect(await bridge.request('settings.get', {})).toEqual({ ok: true, value: defaultSettings });
    expect(states).toEqual(['connecting', 'open']);
  });

  it('brings events to their listeners until they leave', async () => {
    const { bridge } = open();
    await bridge.request('settings.get', {});
    const heard = vi.fn();
    const leave = bridge.on('settings.changed', heard);
    router.events.publish('settings.changed', defaultSettings);
    await expect.poll(() => heard.mock.calls).toEqual([[defaultSettings]]);
    leave();
    router.events.publish('settings.changed', defaultSettings);
    await bridge.request('settings.get', {});
    expect(heard).toHaveBeenCalledTimes(1);
  });

  it('ends open requests when the connection is lost, and connects again', async () => {
    const { bridge, states } = open();
    const unanswered = bridge.request('engine.unload', {});
    await expect.poll(() => hanging).toBe(1);
    const same = port;
    await hangUp();
    expect(await unanswered).toMatchObject({ ok: false, error: { code: 'CONNECTION_LOST', retryable: true } });
    expect(await bridge.request('settings.get', {})).toMatchObject({ error: { code: 'CONNECTION_LOST' } });
    await listen(same);
    await expect.poll(() => states).toEqual(['connecting', 'open', 'lost', 'open']);
    expect(await bridge.request('settings.get', {})).toMatchObject({ ok: true });
  });

  it('gives up when this browser has no session, and says so to every request', async () => {
    cookie = '';
    const { bridge, states } = open();
    const waiting = await bridge.request('settings.get', {});
    expect(waiting).toMatchObject({ error: { code: 'FORBIDDEN', message: expect.stringContaining('link') } });
    expect(await bridge.request('settings.get', {})).toMatchObject({ error: { code: 'FORBIDDEN' } });
    expect(states.at(-1)).toBe('refused');
  });
});
