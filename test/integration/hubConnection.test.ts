// The way to the hub: through a proxy, around it, and what a test of the connection says when something is in the way.
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterEach, expect, test } from 'vitest';

import type { HubSettings } from '../../main/contract/domain.ts';
import { closeAll, expectSame, fetchAll, folder, hubWith, repo, serviceFor } from '../support/downloads.ts';
import type { HubServer } from '../support/hub.ts';

const closers: (() => void)[] = [];
afterEach(async () => {
  await closeAll();
  for (const close of closers.splice(0)) close();
});

/** A proxy that leads every tunnel to the hub, and remembers what it was asked for. */
async function startProxy(hub: HubServer, password: string | null = null) {
  const tunnels: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on('connect', (request: IncomingMessage, client: Socket) => {
    sockets.add(client);
    tunnels.push(request.url ?? '');
    const given = request.headers['proxy-authorization'];
    if (password !== null && given !== `Basic ${Buffer.from(password).toString('base64')}`) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const target = connect(Number(new URL(hub.url).port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      client.pipe(target).pipe(client);
    });
    sockets.add(target);
    for (const socket of [client, target]) socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, tunnels };
}

async function serviceWith(hub: HubServer, changes: Partial<HubSettings>) {
  const made = await serviceFor(hub);
  await made.settings.update({ hub: { ...made.settings.current.hub, ...changes } });
  return made.service;
}

test('a proxy with a password carries the whole download to a hub that only it can find', async () => {
  const hub = await hubWith();
  const proxy = await startProxy(hub, 'mira:secret');
  const service = await serviceWith(hub, {
    endpoint: 'http://hub.invalid',
    proxy: `http://mira:secret@${proxy.host}`,
  });
  expect(await service.hub.test()).toMatchObject({ ok: true });
  expect((await fetchAll(service)).state).toBe('done');
  expectSame((await service.list())[0]?.folder ?? '');
  expect(new Set(proxy.tunnels)).toEqual(new Set(['hub.invalid:80']));
  expect(JSON.stringify(service.hub.requests())).not.toContain('secret');
});

test('a test of the connection names the setting that is wrong', async () => {
  const hub = await hubWith({ token: 'hf_right' });
  const proxy = await startProxy(hub, 'mira:secret');
  const endpoint = 'http://hub.invalid';
  const pem = path.join(folder(), 'company.pem');
  writeFileSync(pem, 'no certificate');
  const problem = async (changes: Partial<HubSettings>, token?: string) => {
    const service = await serviceWith(hub, changes);
    if (token !== undefined) await service.hub.setToken({ token });
    return (await service.hub.test()).problem;
  };
  expect(await problem({ endpoint, proxy: `http://${proxy.host}` })).toMatchObject({ code: 'PROXY' });
  expect(await problem({ endpoint, proxy: 'http://127.0.0.1:9' })).toMatchObject({ code: 'PROXY' });
  expect(await problem({ caFile: pem })).toMatchObject({ code: 'CERTIFICATE' });
  expect(await problem({ caFile: `${pem}.missing` })).toMatchObject({ code: 'CERTIFICATE' });
  expect(await problem({}, 'hf_wrong')).toMatchObject({ code: 'HUB_UNAUTHORISED' });
  expect((await problem({}, 'hf_wrong'))?.message).not.toContain('hf_wrong');
  expect(await problem({}, 'hf_right')).toBeNull();
  expect(await problem({ endpoint: `${hub.url}/elsewhere` })).toMatchObject({ code: 'HUB_MISSING' });
});

test('hosts that need no proxy are reached without it', async () => {
  const hub = await hubWith();
  const proxy = await startProxy(hub);
  const service = await serviceWith(hub, { proxy: `http://${proxy.host}`, noProxy: 'other.invalid' });
  expect(await service.hub.test()).toMatchObject({ ok: true, endpoint: hub.url });
  expect(await service.describe({ repo })).toMatchObject({ repo });
  expect(proxy.tunnels).toEqual([]);
});
