import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';

import { defaultSettings } from '../../../main/contract/domain.ts';
import { closedWithoutSession, socketPath } from '../../../main/contract/wire.ts';
import type { Router } from '../../../main/ipc/router.ts';
import { WebAccess } from '../../../main/ipc/webAccess.ts';
import { acceptSockets, maxFrameBytes } from '../../../main/ipc/websocket.ts';
import { routerWith } from '../../support/handlers.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Door {
  readonly port: number;
  readonly router: Router;
  readonly cookie: string;
  connect(overrides?: { origin?: string; host?: string; cookie?: string; path?: string }): WebSocket;
}

async function openDoor(): Promise<Door> {
  const settingsRead = new EventEmitter();
  const router = routerWith({
    'settings.get': () => {
      setImmediate(() => settingsRead.emit('read'));
      return defaultSettings;
    },
    // Is done after a question that came later.
    'engine.unload': () => once(settingsRead, 'read').then(() => null),
  });
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const access = new WebAccess(port);
  const transport = acceptSockets(server, router, access);
  const cookie = access.redeem(new URL(access.createLink()).searchParams.get('token') ?? '')?.split(';')[0] ?? '';
  closing.push(() => {
    transport.close();
    server.close();
    server.closeAllConnections();
  });
  return {
    port,
    router,
    cookie,
    connect({ origin = `http://127.0.0.1:${port}`, host = `127.0.0.1:${port}`, path = socketPath, ...rest } = {}) {
      const headers = { host, cookie: rest.cookie ?? cookie };
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { origin, headers });
      socket.on('error', () => undefined);
      closing.push(() => socket.terminate());
      return socket;
    },
  };
}

async function ask(socket: WebSocket, frame: unknown): Promise<unknown> {
  socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  const [data] = (await once(socket, 'message')) as [Buffer];
  return JSON.parse(data.toString('utf8'));
}

const refusedStatus = async (socket: WebSocket) => {
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }];
  return response.statusCode;
};

describe('router over WebSocket', () => {
  it('answers requests by their ids, in the order in which they are done', async () => {
    const { connect } = await openDoor();
    const socket = connect();
    await once(socket, 'open');
    const replies: { id: number }[] = [];
    socket.on('message', (data) => replies.push(JSON.parse(String(data)) as { id: number }));
    socket.send(JSON.stringify({ id: 1, route: 'engine.unload', input: {} }));
    socket.send(JSON.stringify({ id: 2, route: 'settings.get', input: {} }));
    await expect.poll(() => replies.map(({ id }) => id)).toEqual([2, 1]);
    expect(replies[0]).toEqual({ id: 2, envelope: { ok: true, value: defaultSettings } });
  });

  it('sends every event to every tab, and none to a tab that left', async () => {
    const { connect, router } = await openDoor();
    const tabs = [connect(), connect()];
    await Promise.all(tabs.map((tab) => once(tab, 'open')));
    const received = tabs.map((tab) => once(tab, 'message'));
    router.events.publish('settings.changed', defaultSettings);
    for (const [data] of await Promise.all(received)) {
      expect(JSON.parse(String(data))).toEqual({ event: 'settings.changed', payload: defaultSettings });
    }
    tabs[0]?.close();
    await once(tabs[0]!, 'close');
    const again = once(tabs[1]!, 'message');
    router.events.publish('settings.changed', defaultSettings);
    await again;
  });

  it.each([
    ['no JSON', 'hello'],
    ['a JSON number', '7'],
    ['null', 'null'],
    ['an array', '[]'],
    ['no id', '{"route":"settings.get","input":{}}'],
    ['a negative id', '{"id":-1,"route":"settings.get","input":{}}'],
    ['a route that is no text', '{"id":1,"route":{},"input":{}}'],
    ['a surplus field', '{"id":1,"route":"settings.get","input":{},"admin":true}'],
    ['a binary frame', Buffer.from('{"id":1,"route":"settings.get","input":{}}')],
  ])('refuses a malformed frame (%s) and goes on', async (_name, frame) => {
    const socket = (await openDoor()).connect();
    await once(socket, 'open');
    expect(await ask(socket, frame)).toMatchObject({
      id: null,
      envelope: { ok: false, error: { code: 'BAD_REQUEST' } },
    });
    expect(await ask(socket, { id: 5, route: 'settings.get', input: {} })).toMatchObject({
      id: 5,
      envelope: { ok: true },
    });
  });

  it('refuses an unknown route and goes on', async () => {
    const socket = (await openDoor()).connect();
    await once(socket, 'open');
    expect(await ask(socket, { id: 1, route: 'app.explode', input: {} })).toMatchObject({
      id: 1,
      envelope: { error: { code: 'UNKNOWN_ROUTE' } },
    });
    expect(await ask(socket, { id: 2, route: 'settings.get', input: {} })).toMatchObject({
      id: 2,
      envelope: { ok: true },
    });
  });

  it('cuts off a tab whose frame is over the limit, and no other', async () => {
    const { connect } = await openDoor();
    const [greedy, modest] = [connect(), connect()];
    await Promise.all([once(greedy, 'open'), once(modest, 'open')]);
    greedy.send('x'.repeat(maxFrameBytes + 1));
    const [code] = (await once(greedy, 'close')) as [number];
    expect([1006, 1009]).toContain(code);
    expect(await ask(modest, { id: 1, route: 'settings.get', input: {} })).toMatchObject({ envelope: { ok: true } });
  });

  it('refuses another origin, another host and another path before any frame', async () => {
    const { connect, port } = await openDoor();
    expect(await refusedStatus(connect({ origin: 'http://evil.example' }))).toBe(403);
    expect(await refusedStatus(connect({ origin: 'null' }))).toBe(403);
    expect(await refusedStatus(connect({ origin: `http://localhost:${port}` }))).toBe(403);
    const rebound = { host: `evil.example:${port}`, origin: `http://evil.example:${port}` };
    expect(await refusedStatus(connect(rebound))).toBe(403);
    expect(await refusedStatus(connect({ path: '/' }))).toBe(404);
  });

  it.each(['', 'nemoflash=1'])('closes a tab without a session (%j) with a code that says so', async (cookie) => {
    const { connect, port } = await openDoor();
    const socket = connect({ cookie: cookie.replace('=', `-${port}=`) });
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(closedWithoutSession);
  });
});
