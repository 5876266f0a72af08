/** `nemoflash bench`: how fast a model loads, reads and writes here, against the bandwidth of the memory. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';

import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';

import { deviceKinds, weightFormats } from '../contract/domain.ts';
import type { DeviceKind, WeightFormat } from '../contract/domain.ts';
import { loadAddon } from '../engine/addon.ts';
import { toAppError } from '../engine/engineError.ts';
import { weightsFolder } from '../home.ts';
import { anatomyLines } from '../metrics/anatomyTable.ts';
import type { MeasuredAnatomy } from '../metrics/anatomyTable.ts';
import { appendResults } from './benchResults.ts';
import { onInterrupt, sourceOf, wholeNumber, withResolver } from './withEngine.ts';

interface BenchOptions {
  readonly model?: string;
  readonly device: DeviceKind;
  readonly format: readonly WeightFormat[];
  readonly context: readonly number[];
  readonly tokens: number;
  readonly repeats: number;
  readonly threads?: number;
  readonly anatomy: boolean;
  readonly results?: string;
  readonly home?: string;
  readonly json: boolean;
}

interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** As nf::json_of writes it. */
interface NativeRow {
  readonly device: string;
  readonly context: number;
  /** What decoding reached. */
  readonly bandwidth_gb_per_s: number;
  /** What reading a large buffer reached in the same run. */
  readonly read_bandwidth_gb_per_s: number;
  readonly [field: string]: unknown;
}

const spreadFields = [
  ...['prefill_tokens_per_s', 'decode_tokens_per_s'],
  ...['new_chat_ms', 'cached_load_ms', 'cached_first_token_ms'],
];

/** Medians under the plain names, spreads beside them. */
function rowOf(device: DeviceKind, json: string): Readonly<Record<string, unknown>> {
  const { context, ...rest } = JSON.parse(json) as NativeRow;
  const { device: deviceName, bandwidth_gb_per_s, read_bandwidth_gb_per_s, ...others } = rest;
  const timings: Record<string, unknown> = {};
  for (const name of spreadFields) {
    const spread = others[name] as Spread | undefined;
    if (spread === undefined) continue; // no cache was made
    timings[name] = spread.median;
    timings[`${name}_spread`] = spread;
  }
  return {
    device,
    device_name: deviceName,
    ...others,
    context_tokens: context,
    bandwidth_gb_per_s: read_bandwidth_gb_per_s,
    decode_gb_per_s: bandwidth_gb_per_s,
    ...timings,
  };
}

function formats(text: string): readonly WeightFormat[] {
  return text.split(',').map((name) => {
    const format = weightFormats.find((known) => known === name.trim());
    if (format === undefined) throw new InvalidArgumentError(`Formats are ${weightFormats.join(', ')}.`);
    return format;
  });
}

export function register(program: Command): void {
  program
    .command('bench')
    .description('Measure loading, prefill and decode of a model on this machine.')
    .option('--model <source>', 'id of an installed model, a folder, or synthetic:NAME (default: the model of the app)')
    .addOption(new Option('--device <device>', 'where to run').choices(deviceKinds).default('cpu'))
    .option('--format <formats>', `one or several of ${weightFormats.join(', ')}, with commas`, formats, [
      'bf16',
    ] as const)
    .option(
      '--context <positions>',
      'positions in the cache when decoding starts; several with commas',
      (text: string) => text.split(',').map(wholeNumber(1, 1_048_576)),
      [512] as const,
    )
    .option('--tokens <number>', 'tokens decoded per measurement', wholeNumber(2, 100_000), 64)
    .option('--repeats <number>', 'measurements of each', wholeNumber(1, 1000), 3)
    .option('--threads <number>', 'CPU threads (default: one per physical core)', wholeNumber(1, 4096))
    .option('--anatomy', "also where a token's time goes, and what measuring that costs (on against off, ABBA)", false)
    .option(
      '--results <file>',
      'what to append the results to (default: benchmarks.jsonl where Nemoflash keeps everything)',
    )
    .option('--home <folder>', 'where Nemoflash keeps everything (default: NEMOFLASH_HOME, else the usual place)')
    .option('--json', 'print one JSON array, an object per format and context', false)
    .action((options: BenchOptions) => bench(options));
}

async function bench(options: BenchOptions): Promise<void> {
  const rows = await withResolver(options.home, async ({ home, settings, resolve }) => {
    const source = await resolve(sourceOf(options.model, settings));
    const cacheDir = weightsFolder(home.cacheFolder, source);
    try {
      const measured = await measure(options, source, cacheDir);
      await appendResults(options.results ?? path.join(home.root, 'benchmarks.jsonl'), measured);
      return measured;
    } finally {
      // The weights of a synthetic model are kept for the measurement alone.
      if (source.startsWith('synthetic:')) await rm(cacheDir, { recursive: true, force: true });
    }
  });
  if (options.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
  else for (const row of rows) printRow(row);
}

async function measure(options: BenchOptions, source: string, cacheDir: string): Promise<readonly object[]> {
  const addon = loadAddon();
  const stop = new addon.StopFlag();
  const removeListener = onInterrupt(() => stop.set());
  const { device, threads = 0, context: contexts, tokens, repeats, anatomy } = options;
  const rows: object[] = [];
  try {
    for (const format of options.format) {
      const load = { source, device, deviceIndex: -1, threads, format, contextPositions: 1, cacheDir, stop };
      const measured = await addon.bench({ ...load, contexts, tokens, repeats, anatomy }, (what) =>
        process.stderr.write(`${what}\n`),
      );
      rows.push(...measured.map((json) => rowOf(device, json)));
    }
    return rows;
  } catch (error) {
    throw toAppError(error);
  } finally {
    removeListener();
  }
}

function printRow(row: object): void {
  for (const [name, value] of Object.entries(row)) {
    if (typeof value === 'object') continue;
    const text = typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(4) : String(value);
    process.stdout.write(`${name.padEnd(28)}${text}\n`);
  }
  const measured = row as Partial<MeasuredAnatomy>;
  if (measured.anatomy !== undefined) {
    process.stdout.write(`\n${anatomyLines(measured as MeasuredAnatomy).join('\n')}\n`);
  }
  process.stdout.write('\n');
}
