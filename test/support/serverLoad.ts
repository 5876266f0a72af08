// Loads the API over loopback and prints throughput and latencies by number of streams, and what the server adds to the
// engine itself. The clients live in a process of their own.
// Usage: npm run bench:server -- [--model synthetic:tiny] [--format int4] [--streams 1,8,64] [--tokens 128] [--rounds 4]
//   [--cache FOLDER] [--json] [--no-overhead]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { defaultSampling } from '../../main/contract/domain.ts';
import type { WeightFormat } from '../../main/contract/domain.ts';
import { createEngineService } from '../../main/engine/engineService.ts';
import { Api } from '../../main/server/api.ts';
import { ApiServer } from '../../main/server/apiServer.ts';

const apiKey = 'load';
const question = 'Where is New York, and what is it known for?';

interface Order {
  readonly url: string;
  readonly streams: number;
  readonly tokens: number;
  readonly requests: number;
  readonly stream: boolean;
  /** Every token is told of by itself, so that they can be counted as they come. */
  readonly counts?: boolean;
}
/** Times in milliseconds. */
interface Answer {
  readonly ttft: number;
  readonly total: number;
  readonly tokens: number;
  readonly gaps: readonly number[];
  /** When, in the clients' clock, and how many tokens. */
  readonly arrivals: readonly (readonly [ms: number, tokens: number])[];
}

/** One request; resolves with when things arrived. */
function ask(agent: http.Agent, { url, tokens, stream, counts = false }: Order, index: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify({
      ...{ messages: [{ role: 'user', content: `${index} ${question}` }], temperature: 0, ignore_eos: true },
      ...{
        max_tokens: tokens,
        stream,
        logprobs: counts,
        ...(stream ? { stream_options: { include_usage: true } } : {}),
      },
    });
    const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
    const sentMs = performance.now();
    const request = http.request(`${url}/v1/chat/completions`, { agent, method: 'POST', headers }, (response) => {
      const gaps: number[] = [];
      const arrivals: [number, number][] = [];
      let [text, ttft, lastMs] = ['', 0, 0];
      response.setEncoding('utf8').on('data', (part: string) => {
        const nowMs = performance.now();
        text += part;
        if (ttft === 0) ttft = nowMs - sentMs;
        else gaps.push(nowMs - lastMs);
        lastMs = nowMs;
        if (counts) arrivals.push([nowMs, part.split('"bytes":').length - 1]);
      });
      response.on('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`${response.statusCode}: ${text}`));
        const written = /"completion_tokens":(\d+)/.exec(text)?.[1];
        resolve({ ttft, total: performance.now() - sentMs, tokens: Number(written), gaps, arrivals });
      });
    });
    request.on('error', reject).end(body);
  });
}

async function runClients(order: Order): Promise<{ wallMs: number; answers: Answer[] }> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: order.streams });
  const answers: Answer[] = [];
  const startedMs = performance.now();
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < order.requests; index = next++) answers.push(await ask(agent, order, index));
  };
  await Promise.all(Array.from({ length: order.streams }, worker));
  agent.destroy();
  return { wallMs: performance.now() - startedMs, answers };
}

if (process.send !== undefined) {
  process.on('message', (order: Order) => {
    runClients(order).then(
      (outcome) => process.send?.(outcome),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
} else {
  await main();
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: 'synthetic:tiny' },
      format: { type: 'string', default: 'int4' },
      streams: { type: 'string', default: '1,8,64' },
      tokens: { type: 'string', default: '128' },
      rounds: { type: 'string', default: '4' },
      cache: { type: 'string' },
      json: { type: 'boolean', default: false },
      'no-overhead': { type: 'boolean', default: false },
    },
  });
  const streamCounts = values.streams.split(',').map(Number);
  const tokens = Number(values.tokens);
  const engine = createEngineService({
    ...{ standInTokenizer: true, checkpointBytes: 0 },
    ...(values.cache === undefined ? {} : { cacheFolder: values.cache }),
  });
  const model = await engine.load({
    ...{ source: values.model, device: 'auto', format: values.format as WeightFormat, contextPositions: 2048 },
  });
  const server = new ApiServer(
    new Api({ engine, version: '0', apiKey, allowedOrigins: [], allowedHosts: [], defaultFormat: () => 'raw' }),
  );
  const url = await server.start({ host: '127.0.0.1', port: 0 });
  const clients = fork(import.meta.filename);
  const order = async (given: Omit<Order, 'url'>) => {
    clients.send({ ...given, url });
    const [outcome] = (await once(clients, 'message')) as [{ wallMs: number; answers: Answer[] }];
    return outcome;
  };
  /** The same without a server: milliseconds of each answer. */
  const direct = async (index: number, maxNewTokens: number): Promise<number> => {
    const startedMs = performance.now();
    const prompt = engine.prompt([{ role: 'user', content: `${index} ${question}` }], 'raw');
    const sampling = { ...defaultSampling, temperature: 0, topP: 1, maxNewTokens, seed: 0 };
    await engine.generate({ prompt, sampling, ignoreEnd: true, onFrame: () => undefined });
    return performance.now() - startedMs;
  };
  const directTimes = async (count: number, maxNewTokens: number) => {
    const times: number[] = [];
    for (let index = 0; index < count; index += 1) times.push(await direct(index, maxNewTokens));
    return times;
  };

  /** What a request and a streamed token cost more than in the engine itself: on the clock, and of this thread's CPU. */
  const measureOverhead = async () => {
    const [requestsEach, longTokens, longEach, rounds] = [200, 1500, 3, 5];
    const cpuUs = async (work: () => Promise<unknown>) => {
      const before = process.threadCpuUsage();
      await work();
      const { user, system } = process.threadCpuUsage(before);
      return user + system;
    };
    const added = { request_ms: [0], token_us: [0], request_cpu_us: [0], token_cpu_us: [0] };
    for (const series of Object.values(added)) series.length = 0;
    // Alternating, so that what else the machine does hits both alike.
    for (let round = 0; round < rounds; round += 1) {
      const measure = async (count: number, length: number) => {
        let [bare, served]: [number[], number[]] = [[], []];
        const bareUs = await cpuUs(async () => (bare = await directTimes(count, length)));
        const servedUs = await cpuUs(async () => {
          const { answers } = await order({ streams: 1, tokens: length, requests: count, stream: length > 1 });
          served = answers.map(({ total }) => total);
        });
        return { ms: median(served) - median(bare), us: (servedUs - bareUs) / count };
      };
      const short = await measure(requestsEach, 1);
      added.request_ms.push(short.ms);
      added.request_cpu_us.push(short.us);
      const long = await measure(longEach, longTokens);
      added.token_us.push(((long.ms - short.ms) * 1000) / longTokens);
      added.token_cpu_us.push((long.us - short.us) / longTokens);
    }
    return {
      overhead_request_ms: median(added.request_ms),
      overhead_request_cpu_us: median(added.request_cpu_us),
      overhead_token_us: median(added.token_us),
      overhead_token_cpu_us: median(added.token_cpu_us),
    };
  };

  try {
    // Sequences are made on demand; that is not what is measured.
    const most = Math.max(...streamCounts);
    await order({ streams: most, tokens: 8, requests: most, stream: true });
    const rows = [];
    for (const streams of streamCounts) {
      const requests = streams * Number(values.rounds);
      const { wallMs, answers } = await order({ streams, tokens, requests, stream: true });
      const gaps = answers.flatMap((answer) => answer.gaps);
      const all = await order({ streams, tokens: 2 * tokens, requests: streams, stream: true, counts: true });
      rows.push({
        streams,
        requests,
        tokens_per_s: (answers.reduce((sum, answer) => sum + answer.tokens, 0) / wallMs) * 1000,
        ttft_ms: spread(answers.map(({ ttft }) => ttft)),
        gap_ms: spread(gaps),
        served_max_by_min: servedMaxByMin(all.answers),
      });
    }
    const overhead = values['no-overhead'] ? {} : await measureOverhead();
    const outcome = {
      model: model.name,
      format: model.format,
      device: model.deviceName,
      tokens,
      rows,
      ...overhead,
    };
    console.log(values.json ? JSON.stringify(outcome) : report(outcome));
  } finally {
    clients.kill();
    await server.close();
    await engine.dispose();
  }

  type Outcome = Parameters<typeof report>[0];
  function report({ rows, ...all }: { rows: Row[]; [fact: string]: unknown }): string {
    const at = ({ p50, p95, p99 }: Spread) => [p50, p95, p99].map((value) => value.toFixed(1)).join(' / ');
    const lines = rows.map(({ streams, requests, tokens_per_s, ttft_ms, gap_ms, served_max_by_min }) => {
      const cells = [streams, requests, tokens_per_s.toFixed(0), at(ttft_ms), at(gap_ms), served_max_by_min.toFixed(2)];
      return `| ${cells.join(' | ')} |`;
    });
    const head = [
      'streams',
      'requests',
      'tokens/s',
      'TTFT ms p50 / p95 / p99',
      'gap ms p50 / p95 / p99',
      'served max/min',
    ];
    const facts = Object.entries(all as Omit<Outcome, 'rows'>).map(([name, value]) => `${name}: ${String(value)}`);
    return [...facts, `| ${head.join(' | ')} |`, `|${head.map(() => '--:').join('|')}|`, ...lines].join('\n');
  }
}

interface Spread {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}
interface Row {
  readonly streams: number;
  readonly requests: number;
  readonly tokens_per_s: number;
  readonly ttft_ms: Spread;
  readonly gap_ms: Spread;
  readonly served_max_by_min: number;
}

/** Most by least tokens that a stream was served while all of them were being served. */
function servedMaxByMin(answers: readonly Answer[]): number {
  const from = Math.max(...answers.map(({ arrivals }) => arrivals[0]?.[0] ?? Infinity));
  const to = Math.min(...answers.map(({ arrivals }) => arrivals.at(-1)?.[0] ?? 0));
  const served = answers.map(({ arrivals }) =>
    arrivals.reduce((sum, [ms, tokens]) => sum + (ms > from && ms <= to ? tokens : 0), 0),
  );
  return Math.max(...served) / Math.min(...served);
}

function median(values: readonly number[]): number {
  return spread(values).p50;
}

function spread(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
