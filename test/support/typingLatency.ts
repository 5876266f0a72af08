/**
 * What reading while typing is worth: from Enter to the first token of an answer to 256 tokens, read before or not, beside
 * a decode step. Prints one JSON object. After `npm run native`: node test/support/typingLatency.ts [model] [format]
 */
import os from 'node:os';
import process from 'node:process';

import { weightFormats } from '../../main/contract/domain.ts';
import { verdictText } from '../../main/contract/benchmark.ts';
import { createEngineService } from '../../main/engine/engineService.ts';
import { compareRuns, runComparison } from '../../main/metrics/comparison.ts';
import { median } from '../../main/metrics/statistics.ts';
import { freshFolder, removeFolder } from './home.ts';

const model = process.argv[2] ?? 'synthetic:nemotron-flash-1b';
const format = weightFormats.find((known) => known === process.argv[3]) ?? 'int8';
const rounds = 4;

// Two loads: the second finds what the first one computed.
const cacheFolder = freshFolder('typing-latency');
const engine = createEngineService({ standInTokenizer: true, cacheFolder });
const base = { source: model, device: 'cpu', format, contextPositions: 1024 } as const;
const run = { engine, base, signal: new AbortController().signal, onProgress: () => undefined };
const ms = (values: readonly number[]): number => Number((median(values) / 1e6).toFixed(2));
try {
  const typing = { first: { readsAhead: false }, second: { readsAhead: true } };
  const ttft = await runComparison({ ...run, ...typing, rounds, tokens: 32 });
  const itl = await runComparison({ ...run, first: {}, second: {}, rounds: 1, tokens: 32 });
  const report = {
    machine: `${os.cpus()[0]?.model ?? 'unknown'}, ${os.availableParallelism()} threads`,
    model,
    format,
    readAfterEnterMs: ms(ttft.firstNs),
    readWhileTypingMs: ms(ttft.secondNs),
    decodeStepMs: ms([...itl.firstNs, ...itl.secondNs]),
    verdict: verdictText(compareRuns(ttft.firstNs, ttft.secondNs)),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
} finally {
  await engine.dispose();
  removeFolder(cacheFolder);
}
