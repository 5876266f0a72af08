/** 10 000 random and bent frames per transport, from one seed: an answer to each, and nothing left behind. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';

import { AppError, errorCodes } from '../../../main/contract/errors.ts';
import type { Envelope } from '../../../main/contract/errors.ts';
import { routes } from '../../../main/contract/ipc.ts';
import { socketPath } from '../../../main/contract/wire.ts';
import { connectElectron } from '../../../main/ipc/electron.ts';
import type { Handlers } from '../../../main/ipc/router.ts';
import { WebAccess } from '../../../main/ipc/webAccess.ts';
import { acceptSockets } from '../../../main/ipc/websocket.ts';
import { anything, bendBytes, fuzzRequest } from '../../support/fuzzFrames.ts';
import { routerWith } from '../../support/handlers.ts';
import { randomOf } from '../../support/random.ts';

const frames = 10_000;
const megabyte = 1024 * 1024;
/** A few seconds alone; more beside others. */
const patience = { timeout: 300_000 };

type Invoke = (event: object, route: unknown, input: unknown) => Promise<Envelope<unknown>>;
const ipc = vi.hoisted(() => ({ handle: null as unknown }));
vi.mock('electron', () => ({
  ipcMain: { handle: (_channel: string, handler: unknown) => (ipc.handle = handler), removeHandler: () => undefined },
}));

/** Every way in which a service ends, one after the other; what it throws quotes a secret that must not come out. */
function moodyHandlers(): Partial<Handlers> {
  let calls = 0;
  const moody = (input: unknown): unknown => {
    switch ((calls += 1) % 4) {
      case 0:
        throw new TypeError('the secret of the service');
      case 1:
        return Promise.reject(new AppError('BUSY', 'Try again.', { retryable: true }));
      case 2:
        return Promise.resolve(input);
      default:
        return null;
    }
  };
  return Object.fromEntries(Object.keys(routes).map((name) => [name, moody])) as Partial<Handlers>;
}

function expectEnvelope(envelope: Envelope<unknown>): void {
  if (envelope.ok) return;
  expect(errorCodes).toContain(envelope.error.code);
  expect(envelope.error.message).not.toContain('secret');
  expect(envelope.error.message.length).toBeLessThan(2000);
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
function heapAfterCollection(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

describe('fuzzed frames', () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  beforeAll(() => void process.on('unhandledRejection', note));
  afterAll(() => void process.off('unhandledRejection', note));
  beforeEach(() => void unhandled.splice(0));

  it('over Electron: each is answered, strangers are refused', patience, async () => {
    const contents = { once: () => undefined, send: () => undefined };
    const transport = connectElectron(Promise.resolve(routerWith(moodyHandlers())), 'app://nemoflash', () => {
      throw new Error('the services are there');
    });
    transport.addWindow(contents as never);
    const invoke = ipc.handle as Invoke;
    const random = randomOf(20_261_126);
    const ours = { sender: contents, senderFrame: { parent: null, origin: 'app://nemoflash' } };
    const strange = { sender: {}, senderFrame: { parent: null, origin: 'app://nemoflash' } };
    // What the structured clone lets through and JSON does not.
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    const beyondJson = [undefined, Number.NaN, 1n, new Date(0), new Map([[1, 2]]), new Uint8Array(9), /x/, cyclic].map(
      (value) => ({ value }),
    );
    let fitting = 0;
    let settledHeap = 0;
    for (let count = 0; count < frames; count += 1) {
      const { route, input } = fuzzRequest(random);
      const odd = random.below(20) === 0 ? random.pick(beyondJson).value : input;
      const isStranger = random.below(50) === 0;
      const envelope = await invoke(isStranger ? strange : ours, route, odd);
      expectEnvelope(envelope);
      if (isStranger) expect(envelope).toMatchObject({ ok: false, error: { code: 'FORBIDDEN' } });
      if (envelope.ok) fitting += 1;
      if (count === frames / 2) settledHeap = heapAfterCollection();
    }
    expect(heapAfterCollection() - settledHeap).toBeLessThan(2 * megabyte);
    // So that the fuzzing is known to come through the schemas, too.
    expect(fitting).toBeGreaterThan(frames / 50);
    expect(unhandled).toEqual([]);
    transport.close();
  });

  it('over the WebSocket: each is answered, and the connection stays', patience, async () => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const access = new WebAccess(port);
    const transport = acceptSockets(server, routerWith(moodyHandlers()), access);
    const cookie = access.redeem(new URL(access.createLink()).searchParams.get('token') ?? '') ?? '';
    const socket = new WebSocket(`ws://127.0.0.1:${port}${socketPath}`, {
      origin: `http://127.0.0.1:${port}`,
      headers: { cookie: cookie.split(';')[0] ?? '' },
    });
    await once(socket, 'open');
    let answered = 0;
    let waiting = (): void => undefined;
    socket.on('message', (data) => {
      expectEnvelope((JSON.parse(String(data)) as { envelope: Envelope<unknown> }).envelope);
      answered += 1;
      waiting();
    });
    const random = randomOf(20_261_126);
    const inFlight = 64;
    let settledHeap = 0;
    for (let sent = 0; sent < frames; sent += 1) {
      const request = fuzzRequest(random);
      const frame = random.below(10) === 0 ? anything(random) : { id: sent, ...request };
      const whole = Buffer.from(JSON.stringify(frame) ?? '');
      const bytes = random.below(2) === 0 ? bendBytes(whole, random) : whole;
      // Text must be valid UTF-8 by the protocol; what is not goes as a binary frame.
      const isText = bytes.toString('utf8').length > 0 && Buffer.from(bytes.toString('utf8')).equals(bytes);
      socket.send(bytes, { binary: !isText });
      while (sent - answered >= inFlight) await new Promise<void>((resolve) => (waiting = resolve));
      if (sent === frames / 2) settledHeap = heapAfterCollection();
    }
    while (answered < frames) await new Promise<void>((resolve) => (waiting = resolve));
    expect(socket.readyState).toBe(socket.OPEN);
    expect(heapAfterCollection() - settledHeap).toBeLessThan(2 * megabyte);
    expect(unhandled).toEqual([]);
    socket.terminate();
    transport.close();
    server.close();
  });
});
