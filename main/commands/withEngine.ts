/** What the commands that need a model share: options, opening and closing the engine, Ctrl-C. */
import process from 'node:process';

import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';

import { deviceKinds, weightFormats } from '../contract/domain.ts';
import type { DeviceKind, LoadRequest, WeightFormat } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { EngineService } from '../engine/engineApi.ts';
import { createEngineService } from '../engine/engineService.ts';
import { makeHomeSync, resolveHome } from '../home.ts';
import type { Home } from '../home.ts';
import { ModelsService } from '../models/modelsService.ts';
import { SettingsStore } from '../settings.ts';

export interface ModelOptions {
  readonly model?: string;
  readonly device: DeviceKind | 'auto';
  readonly format: WeightFormat | 'auto';
  readonly context?: number;
  readonly threads?: number;
  readonly home?: string;
  readonly json: boolean;
}

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

export function decimal(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max)) {
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
    }
    return value;
  };
}

export function addModelOptions(command: Command): Command {
  return command
    .option('--model <source>', 'id of an installed model, a folder, or synthetic:NAME (default: the model of the app)')
    .addOption(new Option('--device <device>', 'where to run').choices(['auto', ...deviceKinds]).default('auto'))
    .addOption(new Option('--format <format>', 'weights in memory').choices(['auto', ...weightFormats]).default('auto'))
    .option('--context <positions>', 'room for prompt and answer', wholeNumber(16, 1_048_576))
    .option('--threads <number>', 'CPU threads (default: one per physical core)', wholeNumber(1, 4096))
    .option('--home <folder>', 'where Nemoflash keeps everything (default: NEMOFLASH_HOME, else the usual place)')
    .option('--json', 'print JSON, for scripts', false);
}

/** Finds models by id, repository or folder. */
export async function withResolver<T>(
  homeFolder: string | undefined,
  use: (place: { home: Home; settings: SettingsStore; resolve: (source: string) => Promise<string> }) => Promise<T>,
): Promise<T> {
  const home = makeHomeSync(resolveHome(homeFolder));
  const settings = SettingsStore.openSync(home.settingsFile, home.damagedFolder);
  const ignore = () => undefined;
  const models = new ModelsService({ home, settings, onChanged: ignore, onProgress: ignore, onTask: ignore });
  try {
    return await use({ home, settings, resolve: (source) => models.resolve(source) });
  } finally {
    await models.close();
  }
}

/** The source that was named, or the app's model. Throws NO_MODEL. */
export function sourceOf(named: string | undefined, settings: SettingsStore): string {
  const source = named ?? settings.current.modelId;
  if (source === null) {
    throw new AppError(
      'NO_MODEL',
      'Say which model with --model: an installed one (nemoflash models list), a folder, or synthetic:nemotron-flash-3b.',
    );
  }
  return source;
}

/** Calls `stop` at the first Ctrl-C or request to end, ends the process at the second; removed by what it returns. */
export function onInterrupt(stop: () => void): () => void {
  let isAsked = false;
  const listener = () => {
    if (isAsked) process.exit(130);
    isAsked = true;
    stop();
  };
  process.on('SIGINT', listener).on('SIGTERM', listener);
  return () => void process.off('SIGINT', listener).off('SIGTERM', listener);
}

/** Loads the model, runs, closes. The signal is aborted by Ctrl-C. */
export async function withEngine(
  options: ModelOptions & { readonly standInTokenizer?: boolean },
  use: (engine: EngineService, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  await withResolver(options.home, async ({ home, settings, resolve }) => {
    const { standInTokenizer = false } = options;
    const engine = createEngineService({ resolve, cacheFolder: home.cacheFolder, standInTokenizer });
    const abort = new AbortController();
    const removeListener = onInterrupt(() => {
      abort.abort();
      engine.cancelLoad();
    });
    try {
      const request: LoadRequest = {
        source: sourceOf(options.model, settings),
        device: options.device,
        format: options.format,
        contextPositions: options.context ?? settings.current.contextPositions,
        threads: options.threads,
      };
      const { synthetic } = await engine.load(request);
      if (synthetic && !options.json)
        process.stderr.write('Made-up weights: the answer is noise, the speed is real.\n');
      await use(engine, abort.signal);
    } finally {
      removeListener();
      await engine.dispose();
    }
  });
}
