import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { ApiStatus } from '../../../main/contract/domain.ts';
import { ApiKey } from '../../../main/server/apiKey.ts';
import { ApiService } from '../../../main/server/apiService.ts';
import { freshFolder, removeFolder } from '../../support/home.ts';
import { freePort } from '../../support/freePort.ts';
import { scriptedEngine } from '../../support/scriptedEngine.ts';

let folder: string;
let file: string;
let service: ApiService;
let seen: ApiStatus[];
beforeEach(async () => {
  folder = freshFolder('api');
  file = path.join(folder, 'api-key');
  await serve();
});
afterEach(async () => {
  await service.close();
  removeFolder(folder);
});

async function serve(given?: string, answer = 'New York'): Promise<void> {
  seen = [];
  service = new ApiService({
    presets: () => [],
    engine: scriptedEngine(answer, 5),
    version: '0',
    key: await ApiKey.open(file, given),
    log: { error: () => undefined },
    onChange: (status) => seen.push(status),
  });
}

const models = async (key: string): Promise<number> => {
  const response = await fetch(`${service.status().url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
  await response.arrayBuffer();
  return response.status;
};

describe('the key', () => {
  it('is made once, kept for this user only, and opens the API until it is replaced', async () => {
    const { key } = service.key();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await service.follow({ enabled: true, port: await freePort() });
    expect(await models(key)).toBe(200);
    const { key: next } = await service.rotateKey();
    expect(next).not.toBe(key);
    expect([await models(key), await models(next)]).toEqual([401, 200]);
    expect(readFileSync(file, 'utf8').trim()).toBe(next);
    expect((await ApiKey.open(file)).current).toBe(next);
  });

  it('that is damaged is replaced; one that was given is used as it is, kept nowhere and not replaced', async () => {
    writeFileSync(file, 'two words\n');
    expect((await ApiKey.open(file)).current).toMatch(/^nf-.{32}$/);
    await serve('given-from-outside');
    expect(service.key().key).toBe('given-from-outside');
    await expect(service.rotateKey()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect(readFileSync(file, 'utf8')).not.toContain('given');
  });

  it.skipIf(process.getuid?.() === 0)('that cannot be kept is not replaced', async () => {
    chmodSync(folder, 0o500);
    const { key } = service.key();
    await expect(service.rotateKey()).rejects.toMatchObject({ code: 'DISK' });
    expect(service.key().key).toBe(key);
    chmodSync(folder, 0o700);
  });
});

describe('the switch', () => {
  it('follows the settings: on, another port, off, and says each', async () => {
    const [first, second] = [await freePort(), await freePort()];
    await service.follow({ enabled: true, port: first });
    await service.follow({ enabled: true, port: first });
    await service.follow({ enabled: true, port: second });
    await service.follow({ enabled: false, port: second });
    const url = (port: number) => `http://127.0.0.1:${port}`;
    expect(seen.map((status) => status.url)).toEqual([url(first), url(second), null]);
    expect(service.status().state).toBe('off');
    for (const port of [first, second]) await expect(fetch(url(port))).rejects.toThrow();
  });

  it('says what to do when the port is taken, and tries again when asked', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    await service.follow({ enabled: true, port });
    expect(service.status()).toMatchObject({ state: 'failed', url: null });
    expect(service.status().problem?.message).toMatch(/Port \d+ is taken by another program. Choose another one/);
    await new Promise((resolve) => other.close(resolve));
    await service.follow({ enabled: true, port });
    expect(service.status()).toMatchObject({ state: 'on', problem: null });
  });

  it('has no say where the shell serves the API', async () => {
    service.servedAt('http://127.0.0.1:1');
    await service.follow({ enabled: false, port: 1024 });
    expect(service.status()).toMatchObject({ state: 'on', ownedByShell: true });
  });
});

it('requests are shown while they run and after, without what they say', async () => {
  await service.follow({ enabled: true, port: await freePort() });
  const post = (body: object) =>
    fetch(`${service.status().url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'x-api-key': service.key().key, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }).then((response) => response.text());
  const answer = post({ messages: [{ role: 'user', content: 'secret words' }] });
  while ((service.status().requests[0]?.outputTokens ?? 0) === 0) await new Promise((go) => setTimeout(go, 1));
  expect(service.status().requests[0]).toMatchObject({ phase: 'writing', status: null, promptTokens: 19 });
  await answer;
  await post({ messages: [] });
  const [refused, answered] = service.status().requests;
  expect(refused).toMatchObject({ phase: 'ended', status: 400, outputTokens: 0 });
  expect(answered).toMatchObject({ path: '/chat/completions', phase: 'ended', status: 200, outputTokens: 8 });
  expect(JSON.stringify(service.status())).not.toContain('secret');
  for (let index = 0; index < 30; index += 1) await post({ messages: [] });
  expect(service.status().requests).toHaveLength(20);
});

it('a stream that fails, or whose client leaves, is shown as what it came to', async () => {
  await serve(undefined, 'x'.repeat(1000));
  await service.follow({ enabled: true, port: await freePort() });
  const leaving = new AbortController();
  const stream = (signal: AbortSignal | null) =>
    fetch(`${service.status().url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'x-api-key': service.key().key, 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [{ role: 'user', content: 'x' }], stream: true }),
      signal,
    });
  const newest = () => service.status().requests[0];
  const left = await stream(leaving.signal);
  await left.body?.getReader().read();
  leaving.abort();
  while (newest()?.phase !== 'ended') await new Promise((go) => setTimeout(go, 1));
  expect(newest()).toMatchObject({ status: 499 });
  const failed = await stream(null);
  await service.api.endAnswers();
  expect(await failed.text()).toContain('server_stopping');
  expect(newest()).toMatchObject({ phase: 'ended', status: 503 });
});
