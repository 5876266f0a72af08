/** `nemoflash logits`: what the model makes of each of a list of token ids, for comparison with other implementations. */
import process from 'node:process';

import { Option } from 'commander';
import type { Command } from 'commander';

import { deviceKinds, weightFormats } from '../contract/domain.ts';
import type { DeviceKind, WeightFormat } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { loadAddon } from '../engine/addon.ts';
import type { NativeModelInfo, NativeSession, StopFlag } from '../engine/addon.ts';
import { toAppError } from '../engine/engineError.ts';
import { SafetensorsWriter } from '../engine/safetensorsWriter.ts';
import { weightsFolder } from '../home.ts';
import { readTokenIds } from './tokenIds.ts';
import { onInterrupt, sourceOf, wholeNumber, withResolver } from './withEngine.ts';

interface LogitsOptions {
  readonly model?: string;
  readonly ids: string;
  readonly out: string;
  readonly device: DeviceKind;
  readonly format: WeightFormat;
  readonly threads?: number;
  readonly hidden: boolean;
  readonly home?: string;
  readonly json: boolean;
}

export function register(program: Command): void {
  program
    .command('logits')
    .description('Write the logits at every token of a list of ids, as safetensors. Needs no tokenizer files.')
    .option('--model <source>', 'id of an installed model, a folder, or synthetic:NAME (default: the model of the app)')
    .requiredOption('--ids <file>', 'a JSON array of token ids, without memory tokens')
    .requiredOption('--out <file>', 'safetensors file to write: float32 logits [positions, vocab]')
    .addOption(new Option('--device <device>', 'where to run').choices(deviceKinds).default('cpu'))
    .addOption(new Option('--format <format>', 'weights in memory').choices(weightFormats).default('f32'))
    .option('--threads <number>', 'CPU threads (default: one per physical core)', wholeNumber(1, 4096))
    .option(
      '--hidden',
      'also hidden.N [positions, hidden], the output of layer N from 0 on; embedding before them, final after the last norm',
      false,
    )
    .option('--home <folder>', 'where Nemoflash keeps everything (default: NEMOFLASH_HOME, else the usual place)')
    .option('--json', 'print one JSON object about what was written', false)
    .action((options: LogitsOptions) => logits(options));
}

async function logits(options: LogitsOptions): Promise<void> {
  const tokens = await readTokenIds(options.ids);
  await withResolver(options.home, async ({ home, settings, resolve }) => {
    const addon = loadAddon();
    const stop = new addon.StopFlag();
    const removeListener = onInterrupt(() => stop.set());
    try {
      const source = await resolve(sourceOf(options.model, settings));
      const model = await addon.loadModel({
        source,
        device: options.device,
        deviceIndex: -1,
        threads: options.threads ?? 0,
        format: options.format,
        // The memory tokens are known when the model is loaded; no model has more of them.
        contextPositions: tokens.length + 1024,
        cacheDir: weightsFolder(home.cacheFolder, source),
        stop,
      });
      checkIds(options.ids, tokens, model.info);
      const session = await model.createSession({ maxPositions: tokens.length + model.info.metaTokens });
      await write(options, tokens, model.info, session, stop);
      session.dispose();
      model.dispose();
    } catch (error) {
      throw toAppError(error);
    } finally {
      removeListener();
    }
  });
}

function checkIds(file: string, tokens: Int32Array, { vocab }: NativeModelInfo): void {
  const wrong = tokens.findIndex((token) => token >= vocab);
  if (wrong < 0) return;
  throw new AppError(
    'BAD_ARGUMENT',
    `${file}: entry ${wrong} is ${tokens[wrong]}, and the ids of this model are 0 to ${vocab - 1}.`,
  );
}

/** The engine's taps: the embedding, each layer, the final norm. */
function tapName(tap: number, { layers }: NativeModelInfo): string {
  if (tap === 0) return 'embedding';
  return tap <= layers ? `hidden.${tap - 1}` : 'final';
}

async function write(
  { hidden, out, json }: LogitsOptions,
  tokens: Int32Array,
  info: NativeModelInfo,
  session: NativeSession,
  stop: StopFlag,
): Promise<void> {
  const positions = tokens.length;
  const taps = hidden ? Array.from({ length: info.layers + 2 }, (_, tap) => tapName(tap, info)) : [];
  const writer = await SafetensorsWriter.create(
    out,
    [
      { name: 'logits', shape: [positions, info.vocab] },
      ...taps.map((name) => ({ name, shape: [positions, info.hidden] as const })),
    ],
    { device: info.device, format: info.format, memory_tokens: String(info.metaTokens) },
  );
  try {
    // One after another, and a failure of the disk ends the run.
    let written: Promise<void> = Promise.resolve();
    let failure: unknown = null;
    await session.evaluate({ tokens, hidden, stop }, (tap, firstToken, _count, rows) => {
      const name = tap < 0 ? 'logits' : tapName(tap, info);
      written = written
        .then(() => writer.write(name, firstToken, rows))
        .catch((error: unknown) => {
          failure ??= error;
          stop.set();
        });
    });
    await written;
    if (failure !== null) throw new AppError('DISK', `${out} cannot be written. Is the disk full?`, { cause: failure });
    await writer.finish();
  } catch (error) {
    await writer.discard().catch(() => undefined);
    throw error;
  }
  const { vocab, format, device } = info;
  if (json) process.stdout.write(`${JSON.stringify({ file: out, positions, vocab, device, format })}\n`);
  else process.stderr.write(`${out}: logits [${positions}, ${vocab}], ${device}, ${format}\n`);
}
