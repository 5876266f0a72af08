/** `nemoflash serve` as a new user meets it: what it says, what it refuses, and how it ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

import { afterAll, describe, expect, it } from 'vitest';

import { freshFolder, removeFolder } from '../support/home.ts';

const repository = path.resolve(import.meta.dirname, '..', '..');
const home = freshFolder('serve');
afterAll(() => removeFolder(home));

function serve(...args: string[]) {
  const command = [path.join(repository, 'main', 'bin.mjs'), 'serve', '--home', home, ...args];
  const child = spawn(process.execPath, command, { env: { ...process.env, NEMOFLASH_API_KEY: '' } });
  let err = '';
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, err }));
  return { child, ended };
}

describe('nemoflash serve', () => {
  it('says where, with which key and which model; stopped in the middle of a stream it tells the client', async () => {
    const { child, ended } = serve('--model', 'synthetic:tiny', '--port', '0', '--context', '2048');
    const said: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      said.push(line);
      if (line.startsWith('Ready')) break;
    }
    expect(said.at(-1)).toMatch(/^Ready: synthetic:tiny \(\w+\) on .+, 2048 positions\./);
    const [, url, key] = /^API: (http:\/\/127\.0\.0\.1:\d+\/v1) {2}key: (nf-\S+)$/.exec(said[0] ?? '') ?? [];
    const response = await fetch(`${url}/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'a', stream: true, ignore_eos: true, max_tokens: 2000 }),
    });
    let text = '';
    for await (const part of response.body ?? []) {
      if (text === '') child.kill('SIGINT');
      text += Buffer.from(part).toString();
    }
    expect(text.trimEnd().split('\n').at(-1)).toMatch(/^data: \{"error":.*"code":"server_stopping"\}\}$/);
    expect((await ended).code).toBe(0);
  });

  // Another address of loopback stands for one that other machines reach; only Linux has it without being told.
  it.runIf(process.platform === 'linux')('on another address answers its names, and no others', async () => {
    const { child, ended } = serve(
      ...['--model', 'synthetic:tiny', '--port', '0', '--host', '127.0.0.2', '--json', '--allow-host', 'box.test'],
    );
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { url, api_key: key } = JSON.parse(line) as Record<'url' | 'api_key', string>;
    expect(new URL(url).hostname).toBe('127.0.0.2');
    const statusFor = async (host: string, authorization: string): Promise<number | undefined> => {
      const [response] = (await once(get(`${url}/v1/models`, { headers: { host, authorization } }), 'response')) as [
        IncomingMessage,
      ];
      response.resume();
      return response.statusCode;
    };
    const bearer = `Bearer ${key}`;
    for (const host of ['127.0.0.2', 'box.test:80', 'localhost']) expect(await statusFor(host, bearer), host).toBe(200);
    expect(await statusFor('evil.test', bearer)).toBe(403);
    expect(await statusFor('box.test', 'Bearer guess')).toBe(401);
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  });

  it('that cannot serve ends with one line that says what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const taken = String((other.address() as AddressInfo).port);
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['--port', taken, '--model', 'synthetic:tiny'], /Port \d+ is taken by another program/],
      [['--port', '0', '--model', 'nobody/nothing'], /nobody\/nothing/],
      [['--port', '0'], /--model/],
      [['--port', '0', '--host', '0.0.0.0', '--api-key', 'short'], /at least 16 characters/],
      [['--port', '0', '--host', '0.0.0.0', '--ui'], /leave out --ui or --host/],
    ];
    const outcomes = await Promise.all(cases.map(async ([args]) => serve(...args).ended));
    outcomes.forEach(({ code, err }, index) => {
      expect({ index, code }).toEqual({ index, code: 1 });
      expect(err.trimEnd().split('\n')).toHaveLength(1);
      expect(err).toMatch(cases[index]?.[1] ?? /none/);
    });
    other.close();
  });
});
