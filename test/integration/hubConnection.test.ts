// The way to the hub: through a proxy, around it, and what a test of the connection says when something is in the way.
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';

import { afterEach, describe, expect, test } from 'vitest';

import type { HubPart, HubSettings } from '../../main/contract/domain.ts';
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

const noOpenssl = spawnSync('openssl', ['version']).status !== 0;

/** A certificate of one's own for 127.0.0.1, as a company's proxy has. */
function makeCertificate(name: string): { readonly pem: string; readonly key: string } {
  const place = folder();
  const [pem, key] = [path.join(place, `${name}.pem`), path.join(place, `${name}.key`)];
  const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  const { status, stderr } = spawnSync('openssl', [...kind, ...names, '-keyout', key, '-out', pem]);
  expect(status, stderr.toString()).toBe(0);
  return { pem, key };
}

/** The hub behind TLS. Returns its address. */
async function startTls(hub: HubServer, { pem, key }: ReturnType<typeof makeCertificate>): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTlsServer({ cert: readFileSync(pem), key: readFileSync(key) }, (client) => {
    const target = connect(Number(new URL(hub.url).port), '127.0.0.1');
    client.pipe(target).pipe(client);
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
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
  expect(await service.hub.test({ part: 'proxy' })).toMatchObject({ finding: { kind: 'proxied' }, problem: null });
  expect((await fetchAll(service)).state).toBe('done');
  expectSame((await service.list())[0]?.folder ?? '');
  expect(new Set(proxy.tunnels)).toEqual(new Set(['hub.invalid:80']));
  expect(JSON.stringify(service.hub.requests())).not.toContain('secret');
});

describe('a test of one setting', () => {
  const endpoint = 'http://hub.invalid';
  const trial = async (hub: HubServer, part: HubPart, changes: Partial<HubSettings>, token?: string) => {
    const service = await serviceWith(hub, changes);
    if (token !== undefined) await service.hub.setToken({ token });
    return service.hub.test({ part });
  };

  test('address: tells a hub from another page, and from nothing', async () => {
    const hub = await hubWith({ token: 'hf_right' });
    expect(await trial(hub, 'endpoint', {})).toMatchObject({ endpoint: hub.url, finding: { kind: 'answered' } });
    // A token that the hub refuses is the token's fault, not the address's.
    expect((await trial(hub, 'endpoint', {}, 'hf_wrong')).problem).toBeNull();
    const elsewhere = await trial(hub, 'endpoint', { endpoint: `${hub.url}/elsewhere` });
    expect(elsewhere.problem).toMatchObject({ code: 'HUB_MISSING' });
    const nobody = await trial(hub, 'endpoint', { endpoint: 'http://127.0.0.1:9' });
    expect(nobody.problem).toMatchObject({ code: 'NETWORK' });
  });

  test('token: names its account, or says that the hub does not know it, without repeating it', async () => {
    const hub = await hubWith({ token: 'hf_right' });
    expect((await trial(hub, 'token', {})).finding).toEqual({ kind: 'unset' });
    expect((await trial(hub, 'token', {}, 'hf_right')).finding).toEqual({ kind: 'account', user: 'tester' });
    const wrong = await trial(hub, 'token', {}, 'hf_wrong');
    expect(wrong.problem).toMatchObject({ code: 'HUB_UNAUTHORISED' });
    expect(wrong.problem?.message).toContain('does not know this token');
    expect(JSON.stringify(wrong)).not.toContain('hf_wrong');
  });

  test('proxy: its own faults are told from those of what lies behind it', async () => {
    const hub = await hubWith();
    const proxy = await startProxy(hub, 'mira:secret');
    const right = `http://mira:secret@${proxy.host}`;
    expect((await trial(hub, 'proxy', { endpoint })).finding).toEqual({ kind: 'unset' });
    const locked = (await trial(hub, 'proxy', { endpoint, proxy: `http://${proxy.host}` })).problem;
    expect(locked).toMatchObject({ code: 'PROXY', message: expect.stringContaining('user name and password') });
    expect((await trial(hub, 'proxy', { endpoint, proxy: 'http://127.0.0.1:9' })).problem?.code).toBe('PROXY');
    // The hub breaks off behind a good proxy.
    hub.faults.add({ kind: 'status', status: 500 });
    expect((await trial(hub, 'proxy', { endpoint, proxy: right })).finding).toEqual({ kind: 'proxied' });
    expect((await trial(hub, 'proxy', { proxy: right })).finding).toEqual({ kind: 'direct' });
    const excepted = await trial(hub, 'proxy', { endpoint: hub.url, proxy: right, noProxy: '127.0.0.1' });
    expect(excepted.finding).toEqual({ kind: 'direct' });
  });

  test('certificates: a file that is missing, no certificate, or damaged', async () => {
    const hub = await hubWith();
    const pem = path.join(folder(), 'company.pem');
    const problem = async () => (await trial(hub, 'caFile', { caFile: pem })).problem;
    expect((await trial(hub, 'caFile', {})).finding).toEqual({ kind: 'unset' });
    expect(await problem()).toMatchObject({ code: 'CERTIFICATE', message: expect.stringContaining('cannot be read') });
    writeFileSync(pem, 'no certificate');
    expect(await problem()).toMatchObject({ message: expect.stringContaining('holds no certificate') });
    writeFileSync(pem, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    expect(await problem()).toMatchObject({ message: expect.stringContaining('damaged') });
    writeFileSync(pem, '-----BEGIN CERTIFICATE-----\nAAAA\n');
    expect(await problem()).toMatchObject({ message: expect.stringContaining('cut off') });
  });

  test.skipIf(noOpenssl)('certificates: a hub is trusted with the right one only', async () => {
    const hub = await hubWith();
    const [right, wrong] = [makeCertificate('right'), makeCertificate('wrong')];
    const secure = await startTls(hub, right);
    const verdict = async (caFile: string | null) => trial(hub, 'caFile', { endpoint: secure, caFile });
    expect((await verdict(right.pem)).finding).toEqual({ kind: 'certificates', count: 1 });
    expect((await verdict(wrong.pem)).problem).toMatchObject({ code: 'CERTIFICATE' });
    expect((await trial(hub, 'endpoint', { endpoint: secure })).problem).toMatchObject({ code: 'CERTIFICATE' });
    expect((await trial(hub, 'endpoint', { endpoint: secure, caFile: right.pem })).problem).toBeNull();
  });
});

test('hosts that need no proxy are reached without it', async () => {
  const hub = await hubWith();
  const proxy = await startProxy(hub);
  const service = await serviceWith(hub, { proxy: `http://${proxy.host}`, noProxy: 'other.invalid' });
  expect(await service.hub.test({ part: 'endpoint' })).toMatchObject({ problem: null, endpoint: hub.url });
  expect(await service.describe({ repo })).toMatchObject({ repo });
  expect(proxy.tunnels).toEqual([]);
});
