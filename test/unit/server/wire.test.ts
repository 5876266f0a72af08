import net from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Api } from '../../../main/server/api.ts';
import { ApiServer } from '../../../main/server/apiServer.ts';
import { scriptedEngine } from '../../support/scriptedEngine.ts';
import { chat, key, wireCases as all } from '../../support/wireCases.ts';
import type { Case, Sent } from '../../support/wireCases.ts';

/** For what is answered when time is up, on a server of its own: a busy machine must not make others late. */
const impatient = { headersTimeout: 200, requestTimeout: 400, connectionsCheckingInterval: 25 };
const engine = scriptedEngine();
const api = new Api({ engine, version: '0', apiKey: key, allowedOrigins: [], allowedHosts: [] });
const servers = [new ApiServer(api), new ApiServer(api, impatient)];
const ports: number[] = [];
beforeAll(async () => {
  for (const server of servers) {
    ports.push(Number(new URL(await server.start({ host: '127.0.0.1', port: 0 })).port));
  }
});
afterAll(() => Promise.all(servers.map((server) => server.close())));

/** Everything that came back until the server closed. */
function exchange({ pieces, then = 'wait' }: Sent, port = ports[0] ?? 0): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    socket.on('data', (data) => (text += data.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
    socket.on('end', () => socket.end());
    const send = (index: number): void => {
      const piece = pieces[index];
      if (piece !== undefined && socket.writable) {
        socket.write(piece, () => (index + 1 < pieces.length ? setTimeout(() => send(index + 1), 2) : send(index + 1)));
      } else if (then === 'end') socket.end();
      else if (then === 'reset') socket.resetAndDestroy();
    };
    socket.once('connect', () => send(0));
  });
}

const statuses = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1])).filter((status) => status !== 100);

/** What was not as expected; null when all was. */
async function run([name, sent, expected]: Case): Promise<string | null> {
  const text = await exchange(sent, ports[expected[0]?.includes(408) === true ? 1 : 0]);
  // A client that resets sees nothing, or whatever came before.
  if (sent.then === 'reset') return null;
  const got = statuses(text);
  // What is no HTTP ends the connection, also for what was asked just before it.
  const isCut = got.at(-1) === 400;
  const isExpected =
    (got.length === expected.length || (isCut && got.length > 0)) &&
    got.every((status, at) => expected[at]?.includes(status) === true || (isCut && at === got.length - 1));
  const leaks = / at .*:\d+:\d+|node:internal|\.ts\b/.test(text);
  return isExpected && !leaks ? null : `${name}: ${got.join()} ${text.slice(0, 400)}`;
}

/** Many at a time, as a hostile client would. */
async function runAll(cases: readonly Case[]): Promise<void> {
  const problems: (string | null)[] = [];
  for (let at = 0; at < cases.length; at += 32)
    problems.push(...(await Promise.all(cases.slice(at, at + 32).map(run))));
  expect(problems.filter((problem) => problem !== null)).toEqual([]);
}

async function heapBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    collect();
  }
  return process.memoryUsage().heapUsed;
}

describe.each(all)('%s', (_, cases) => {
  it(`${cases.length} cases are answered or refused, and the server lives`, async () => {
    await runAll(cases);
    expect(statuses(await exchange({ pieces: [chat] }))).toEqual([200]);
  });
});

it('over 200 cases in all, and their memory is given back', async () => {
  const cases = all.flatMap(([, list]) => list);
  expect(cases.length).toBeGreaterThan(200);
  const quick = cases.filter(([, { pieces }, [expected]]) => pieces.length === 1 && expected?.includes(408) === false);
  const round = async () => {
    await runAll(quick);
    engine.requests.length = engine.prompts.length = 0;
  };
  await round();
  const before = await heapBytes();
  for (let time = 0; time < 2; time += 1) await round();
  expect((await heapBytes()) - before).toBeLessThan(2e6);
});
