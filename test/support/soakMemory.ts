/** What a process holds, sample by sample, and how it grows. Linux only: memory and descriptors are read from /proc. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export const megabyte = 1024 * 1024;
/** The share of the run after which memory counts: before it caches fill. */
const warmUp = 0.3;

interface Growth {
  readonly first: number;
  readonly last: number;
  readonly perThousandAnswers: number;
}

export interface MemoryGrowth {
  readonly rssMb: Growth;
  readonly heapMb: Growth;
  readonly descriptors: { readonly first: number; readonly last: number };
}

export interface MemorySample {
  readonly answers: number;
  readonly rssBytes: number;
  /** JavaScript objects and buffers in use. */
  readonly heapBytes: number;
  readonly descriptors: number;
}

/** Of a process that was started with memoryProbe.mjs, which leaves its figures in `probeFile`. */
export async function takeSample(pid: number, probeFile: string, answers: number): Promise<MemorySample> {
  process.kill(pid, 'SIGUSR2');
  while (!existsSync(probeFile)) await sleep(10);
  await sleep(100); // the collector gives pages back a little later
  const { heapUsed, external } = JSON.parse(readFileSync(probeFile, 'utf8')) as NodeJS.MemoryUsage;
  rmSync(probeFile);
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    answers,
    rssBytes: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024,
    heapBytes: heapUsed + external,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** Least squares through (answers, bytes), in bytes per answer. */
function slope(samples: readonly MemorySample[], bytes: 'rssBytes' | 'heapBytes'): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(samples.map(({ answers }) => answers));
  const y = mean(samples.map((sample) => sample[bytes]));
  const over = samples.reduce((sum, sample) => sum + (sample.answers - x) * (sample[bytes] - y), 0);
  const under = samples.reduce((sum, { answers }) => sum + (answers - x) ** 2, 0);
  return under === 0 ? 0 : over / under;
}

/** First and last after the warm-up, and the slope in between. */
export function growthOf(all: readonly MemorySample[]): MemoryGrowth {
  const settled = all.slice(Math.floor(all.length * warmUp));
  const [first, last] = [settled[0], settled.at(-1)];
  const growth = (bytes: 'rssBytes' | 'heapBytes'): Growth => ({
    first: (first?.[bytes] ?? 0) / megabyte,
    last: (last?.[bytes] ?? 0) / megabyte,
    perThousandAnswers: (slope(settled, bytes) * 1000) / megabyte,
  });
  return {
    rssMb: growth('rssBytes'),
    heapMb: growth('heapBytes'),
    descriptors: { first: first?.descriptors ?? 0, last: last?.descriptors ?? 0 },
  };
}
