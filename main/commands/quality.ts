/** `nemoflash quality`: what a weight format costs, measured against a reference format on the same text. */
import process from 'node:process';

import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';

import { deviceKinds, weightFormats } from '../contract/domain.ts';
import type { DeviceKind, WeightFormat } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { loadAddon } from '../engine/addon.ts';
import type { Addon, NativeModel, NativeSession, StopFlag } from '../engine/addon.ts';
import { toAppError } from '../engine/engineError.ts';
import { LogitsComparison } from '../engine/logitsComparison.ts';
import type { DistributionDistance } from '../engine/logitsComparison.ts';
import { openTokenizer } from '../engine/tokenizer.ts';
import { formatBytes } from '../models/diskSpace.ts';
import { weightsFolder } from '../home.ts';
import { readTextFile, readTokenIds } from './tokenIds.ts';
import { onInterrupt, sourceOf, wholeNumber, withResolver } from './withEngine.ts';

interface QualityOptions {
  readonly model?: string;
  readonly text?: string;
  readonly ids?: string;
  readonly format: readonly WeightFormat[];
  readonly reference: WeightFormat;
  readonly tokens: number;
  readonly window: number;
  readonly device: DeviceKind;
  readonly threads?: number;
  readonly home?: string;
  readonly json: boolean;
}

/** Of one format. */
interface QualityRow extends DistributionDistance {
  readonly format: WeightFormat;
  readonly weightBytes: number;
}

const explanation = `
The text is read in windows of consecutive tokens, each from an empty context, once with the weights as released and
once in each format. At every token the two predictions of the next one are compared:

  mean KL     Kullback-Leibler divergence, in nats per token: how much of the prediction was lost. 0 is identical
  max KL      the same for the worst token
  top-1       how often the most likely token stayed the same
  perplexity  exp of the mean surprise at the tokens of the text; in brackets that of the reference

Examples:
  nemoflash quality --model nvidia/Nemotron-Flash-3B-Instruct --text book.txt --format int8,mixed,int4
  nemoflash quality --model ./checkpoint --ids ids.json --format int4 --json
`;

function formatList(text: string): readonly WeightFormat[] {
  return text.split(',').map((name) => {
    const format = weightFormats.find((known) => known === name.trim());
    if (!format) throw new InvalidArgumentError(`Choose from ${weightFormats.join(', ')}, with commas between.`);
    return format;
  });
}

export function register(program: Command): void {
  program
    .command('quality')
    .description('Measure what a weight format costs in quality, against the released weights on the same text.')
    .option('--model <source>', 'id of an installed model, a folder, or synthetic:NAME (default: the model of the app)')
    .addOption(new Option('--text <file>', 'what to read, UTF-8; needs the tokenizer of the model').conflicts('ids'))
    .option('--ids <file>', 'what to read, as a JSON array of token ids, for a model without a tokenizer')
    .requiredOption('--format <formats>', `one or more of ${weightFormats.join(', ')}, with commas between`, formatList)
    .addOption(new Option('--reference <format>', 'compare with these weights').choices(weightFormats).default('bf16'))
    .option('--tokens <number>', 'read no more of the text than this', wholeNumber(2, 10_000_000), 2048)
    .option('--window <number>', 'tokens per window', wholeNumber(2, 65_536), 512)
    .addOption(new Option('--device <device>', 'where to run').choices(deviceKinds).default('cpu'))
    .option('--threads <number>', 'CPU threads (default: one per physical core)', wholeNumber(1, 4096))
    .option('--home <folder>', 'where Nemoflash keeps everything (default: NEMOFLASH_HOME, else the usual place)')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', explanation)
    .action((options: QualityOptions) => quality(options));
}

async function quality(options: QualityOptions): Promise<void> {
  if (options.text === undefined && options.ids === undefined) {
    throw new AppError('BAD_ARGUMENT', 'Say what to read: a text with --text FILE, or token ids with --ids FILE.');
  }
  await withResolver(options.home, async ({ home, settings, resolve }) => {
    const source = await resolve(sourceOf(options.model, settings));
    const addon = loadAddon();
    const stop = new addon.StopFlag();
    const removeListener = onInterrupt(() => stop.set());
    const measurement = new Measurement(options, source, weightsFolder(home.cacheFolder, source), addon, stop);
    try {
      await measurement.run();
    } catch (error) {
      throw toAppError(error);
    } finally {
      removeListener();
    }
  });
}

/** Reference and one candidate at a time, so that no more than two models are in memory. */
class Measurement {
  readonly #options: QualityOptions;
  readonly #source: string;
  readonly #cacheDir: string;
  readonly #addon: Addon;
  readonly #stop: StopFlag;

  constructor(options: QualityOptions, source: string, cacheDir: string, addon: Addon, stop: StopFlag) {
    this.#options = options;
    this.#source = source;
    this.#cacheDir = cacheDir;
    this.#addon = addon;
    this.#stop = stop;
  }

  async run(): Promise<void> {
    const { reference: format, json } = this.#options;
    const reference = await this.#load(format);
    const tokens = await this.#tokens(reference);
    const rows: QualityRow[] = [];
    for (const candidateFormat of this.#options.format) {
      const candidate = await this.#load(candidateFormat);
      const distance = await this.#compare(reference, candidate, tokens);
      const row = { format: candidateFormat, weightBytes: candidate.info.weightBytes, ...distance };
      rows.push(row);
      candidate.dispose();
      if (!json) printRow(row, rows.length === 1);
    }
    const { weightBytes, device } = reference.info;
    reference.dispose();
    if (!json) return;
    const { window } = this.#options;
    const about = { model: this.#source, device, tokens: tokens.length, window, reference: { format, weightBytes } };
    process.stdout.write(`${JSON.stringify({ ...about, formats: rows })}\n`);
  }

  #load(format: WeightFormat): Promise<NativeModel> {
    const { device, threads = 0, window } = this.#options;
    // The memory tokens are known when the model is loaded; no model has more of them.
    const place = { source: this.#source, device, deviceIndex: -1, threads, contextPositions: window + 1024 };
    return this.#addon.loadModel({ ...place, format, cacheDir: this.#cacheDir, stop: this.#stop });
  }

  async #tokens({ info }: NativeModel): Promise<Int32Array> {
    const { ids, text = '', tokens: limit } = this.#options;
    const tokens =
      ids === undefined
        ? openTokenizer({ ...info, source: this.#source }).encode(await readTextFile(text))
        : await readTokenIds(ids);
    const read = tokens.subarray(0, limit);
    const file = ids ?? text;
    if (read.length < 2) throw new AppError('BAD_ARGUMENT', `${file}: at least two tokens are needed to compare.`);
    const wrong = read.findIndex((token) => token >= info.vocab);
    if (wrong >= 0) {
      const message = `entry ${wrong} is ${read[wrong]}, and the ids of this model are 0 to ${info.vocab - 1}.`;
      throw new AppError('BAD_ARGUMENT', `${file}: ${message}`);
    }
    return read;
  }

  async #compare(reference: NativeModel, candidate: NativeModel, tokens: Int32Array): Promise<DistributionDistance> {
    const { window } = this.#options;
    const comparison = new LogitsComparison();
    const sessions = await Promise.all([reference, candidate].map((model) => this.#session(model)));
    const [first, second] = sessions;
    if (!first || !second) throw new Error('two sessions were asked for');
    for (let start = 0; start < tokens.length; start += window) {
      const part = tokens.subarray(start, start + window);
      const [expected, got] = [await this.#rows(first, part), await this.#rows(second, part)];
      for (const [i, row] of expected.entries()) comparison.add(row, rowAt(got, i), part[i + 1] ?? null);
      if (process.stderr.isTTY) {
        process.stderr.write(`\r\u001b[K${candidate.info.format}: ${start + part.length} of ${tokens.length} tokens`);
      }
    }
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    for (const session of sessions) session.dispose();
    return comparison.result;
  }

  #session(model: NativeModel): Promise<NativeSession> {
    return model.createSession({ maxPositions: this.#options.window + model.info.metaTokens });
  }

  /** Logits [vocab] at each token, read from an empty context. */
  async #rows(session: NativeSession, tokens: Int32Array): Promise<readonly Float32Array[]> {
    const rows: Float32Array[] = [];
    await session.reset();
    await session.evaluate({ tokens, hidden: false, stop: this.#stop }, (_tap, firstToken, count, values) => {
      const vocab = values.length / count;
      for (let i = 0; i < count; i++) rows[firstToken + i] = values.subarray(i * vocab, (i + 1) * vocab);
    });
    return rows;
  }
}

function rowAt(rows: readonly Float32Array[], index: number): Float32Array {
  const row = rows[index];
  if (!row) throw new Error(`the engine gave no logits for token ${index}`);
  return row;
}

function printRow(row: QualityRow, isFirst: boolean): void {
  const cells = (values: readonly string[]) =>
    values
      .map((value) => value.padEnd(12))
      .join('')
      .trimEnd();
  if (isFirst) print(cells(['format', 'weights', 'mean KL', 'max KL', 'top-1', 'perplexity']));
  const { format, weightBytes, meanKl, maxKl, top1Agreement, perplexity, referencePerplexity } = row;
  const perplexities =
    perplexity === null || referencePerplexity === null
      ? '-'
      : `${perplexity.toPrecision(5)} (${referencePerplexity.toPrecision(5)})`;
  const share = `${(100 * top1Agreement).toFixed(2)} %`;
  print(cells([format, formatBytes(weightBytes), meanKl.toPrecision(4), maxKl.toPrecision(4), share, perplexities]));
}

const print = (line: string) => void process.stdout.write(`${line}\n`);
