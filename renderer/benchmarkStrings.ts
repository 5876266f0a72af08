/** The words of benchmarks and comparisons. */
import { verdictText } from '../main/contract/benchmark.ts';
import type {
  BenchmarkPlan,
  BenchmarkPlanName,
  BenchmarkProgress,
  BenchmarkRow,
  Variant,
  Verdict,
} from '../main/contract/benchmark.ts';
import type { Environment } from '../main/contract/metrics.ts';
import { count } from './format.ts';

const plans: Readonly<Record<BenchmarkPlanName, string>> = { quick: 'Quick', paper: 'Protocol of the paper' };

const rows: Readonly<Record<BenchmarkRow['kind'], (size: string) => string>> = {
  decode: (size) => `Decode ${size} tokens`,
  prefill: (size) => `Read ${size} tokens`,
  sequences: (size) => (size === '1' ? '1 sequence' : `${size} sequences at once`),
};

const interval =
  'The interval is a 95 % t-interval over the rounds’ differences of logarithms; when it holds zero, nothing can be said.';

export const benchmarkStrings = {
  run: 'Benchmark',
  plan: 'Plan',
  plans,
  describe: ({ decodeTokens, prefillTokens, sequences, sequenceTokens, repetitions }: BenchmarkPlan) =>
    `Warm-up, then ${repetitions} times each: decode ${count(decodeTokens)} tokens at batch 1; read ${prefillTokens
      .map(count)
      .join(
        ', ',
      )} tokens; ${sequences.join(', ')} sequences of ${count(sequenceTokens)} tokens at once. Every prompt is new, so nothing is reused.`,
  begin: 'Run',
  stop: 'Stop',
  needsModel: 'Load a model first.',
  beginning: 'Preparing',
  progress: ({ what, done, total }: BenchmarkProgress) => `${what} · ${count(done)} of ${count(total)} runs`,
  result: (when: string) => `Result of ${when}`,
  resultHelp: (repetitions: number) =>
    `Engine stamps only. Median of ${repetitions} repetitions, with the lowest and the highest; ITL over all gaps of all repetitions.`,
  card: 'Share card',
  what: 'What',
  spread: 'Low – high',
  took: 'Time',
  overTime: 'Over time',
  row: (kind: BenchmarkRow['kind'], size: number) => rows[kind](count(size)),
  repetitions: (n: number) => `median of ${n}`,
  leftOut: 'Left out, because the context is too short:',
  kept: 'Earlier results',
  keptHelp: '“Over time” compares runs of the same device, model, format and threads.',
  remove: 'Delete',
  published: 'Published figures',
  here: ({ device, format }: Environment) => `Here: ${device}, ${format}`,
  hereConditions: ({ device, format }: Environment, tokens: number) =>
    `Here: ${device}, weights in ${format}, ${count(tokens)} tokens decoded at batch 1. Another GPU, another format or fewer tokens is another measurement: compare with care.`,

  compare: 'Two settings against each other',
  compareHelp:
    'Runs A, B, B, A in every round, so that a drift of clocks and temperature falls on both. Both sides get the same prompts; the model is loaded anew when the setting changes. A stays loaded afterwards.',
  side: (name: 'A' | 'B') => `Setting ${name}`,
  asLoaded: 'As loaded',
  asLoadedIs: (now: string) => `As loaded (${now})`,
  format: 'Weight format',
  device: 'Device',
  threads: 'CPU threads',
  threadsRange: (most: number) => `A whole number from 1 to ${count(most)}.`,
  switches: { on: 'On', off: 'Off' },
  graph: 'Decode step in one piece',
  graphHelp: 'Off launches every kernel of a token by itself.',
  graphNeedsGpu: 'Not available on the CPU: it is how work is handed to a GPU.',
  readsAhead: 'Reading while typing',
  readsAheadHelp: 'On reads a message of 256 tokens before the clock starts.',
  notCompared: 'Not compared',
  byTtft: 'These runs are timed from Enter to the first token, the only place where reading ahead shows.',
  notInTurns:
    'Whether the GPU draws the interface cannot take turns here: it changes with a restart only (Settings, “Draw the window on the CPU”), and in a browser it is the browser’s own setting.',
  rounds: 'Rounds',
  roundsOf: (n: string) => `${n} rounds`,
  tokensPerRun: 'Tokens per run',
  tokensOf: (n: string) => `${n} tokens`,
  sameSides: 'Both are the same now. That is a fair question, too: the answer should be “not distinguishable”.',
  outcome: 'Outcome',
  outcomeHelp: {
    itl: `Each dot is the median ITL of one run. ${interval}`,
    ttft: `Each dot is the time to first token of one run. ${interval}`,
  },
  verdict: (result: Verdict) =>
    result.verdict === 'not distinguishable' ? `A and B are ${result.verdict}` : `B is ${verdictText(result)}`,
  settings: ({ format, deviceKind, threads, device }: Environment, { useGraph, readsAhead }: Variant) =>
    [
      format,
      deviceKind === 'cpu' ? `${device}, ${threads} threads` : device,
      ...(useGraph === undefined ? [] : [useGraph ? 'step in one piece' : 'kernel by kernel']),
      ...(readsAhead === undefined ? [] : [readsAhead ? 'read while typing' : 'read after Enter']),
    ].join(' · '),
} as const;
