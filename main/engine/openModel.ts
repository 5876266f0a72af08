/** From a request to load to everything that belongs to a loaded model. */
import { totalmem } from 'node:os';

import type { LoadedModel, LoadRequest } from '../contract/domain.ts';
import type { AppError } from '../contract/errors.ts';
import { weightsFolder } from '../home.ts';
import type { Addon, NativeLoadProgress, NativeModel } from './addon.ts';
import { AnswerMemory } from './answerMemory.ts';
import { boundedTokenizer } from './boundedTokenizer.ts';
import { CheckpointPool } from './checkpointPool.ts';
import { describe } from './describe.ts';
import type { GenerateResult, Tokenizer } from './engineApi.ts';
import { toAppError } from './engineError.ts';
import { planLoad, weightBytesOf } from './loadPlan.ts';
import { SavedStates } from './savedStates.ts';
import { sequenceLimit, Sequences } from './sequences.ts';
import { openTokenizer } from './tokenizer.ts';

/** Events and errors worth a line; main/log.ts fits. */
export interface EngineLog {
  info(event: string, fields?: Readonly<Record<string, string | number | boolean | null>>): void;
  error(event: string, error: unknown): void;
}

export interface EngineServiceOptions {
  /** The folder of a source, or synthetic:NAME as it is; throws NOT_FOUND. Default: sources are folders. */
  readonly resolve?: (source: string) => Promise<string>;
  /** Where what can be rebuilt is kept, quantised weights of a model above all; none: nowhere. */
  readonly cacheFolder?: string;
  /** Where the states of conversations are kept for another time; none: nowhere. */
  readonly statesFolder?: string;
  /** Of that folder, all models together. Default: 4 GiB. */
  readonly stateBytes?: number;
  /** For checkpoints of conversations. Default: a sixteenth of the machine's memory. */
  readonly checkpointBytes?: number;
  /** Made-up words for a model folder that has no tokenizer, instead of TOKENIZER_MISSING. */
  readonly standInTokenizer?: boolean;
  readonly log?: EngineLog;
  /** Called with everything that was generated, and the engine's clock then. Must not throw. */
  readonly onGenerated?: (result: GenerateResult, engineNowNs: number) => void;
}

/** Everything that goes when the model goes. */
export interface Loaded {
  readonly request: LoadRequest;
  readonly model: LoadedModel;
  readonly native: NativeModel;
  readonly sequences: Sequences;
  readonly tokenizer: Tokenizer | AppError;
  readonly pool: CheckpointPool;
  readonly answers: AnswerMemory;
  /** Aborted when the model has to go: stops what runs and what waits. */
  readonly closing: AbortController;
}

function openPool(options: EngineServiceOptions, source: string, native: NativeModel): CheckpointPool {
  const { statesFolder, stateBytes, checkpointBytes, log } = options;
  const disk =
    statesFolder === undefined ? null : new SavedStates({ root: statesFolder, source, native, maxBytes: stateBytes });
  return new CheckpointPool(checkpointBytes ?? totalmem() / 16, disk, (why) => log?.info('state not kept', { why }));
}

/** A model without a tokenizer can be loaded; the error comes when text has to become tokens. */
function openTokenizerLater(
  { standInTokenizer }: EngineServiceOptions,
  source: string,
  { info }: NativeModel,
  maxTokens: number,
): Tokenizer | AppError {
  try {
    const { vocab, endTokens } = info;
    return boundedTokenizer(openTokenizer({ source, vocab, endTokens, standIn: standInTokenizer }), vocab, maxTokens);
  } catch (error) {
    return toAppError(error);
  }
}

/** Throws what stands in the way, CANCELLED when the signal came first; nothing stays behind then. */
export async function openModel(
  addon: Addon,
  options: EngineServiceOptions,
  request: LoadRequest,
  signal: AbortSignal,
  onProgress: (progress: NativeLoadProgress) => void,
): Promise<Loaded> {
  const stop = new addon.StopFlag();
  signal.addEventListener('abort', () => stop.set(), { once: true });
  if (signal.aborted) stop.set();
  const startedNs = addon.nowNs();
  const source = (await options.resolve?.(request.source)) ?? request.source;
  const plan = planLoad(request, await addon.devices(), weightBytesOf(source));
  const { cacheFolder } = options;
  const cacheDir = cacheFolder === undefined ? '' : weightsFolder(cacheFolder, source);
  const native = await addon.loadModel({ source, ...plan, cacheDir, stop }, onProgress);
  try {
    const model = describe(request, source, native, addon.nowNs() - startedNs);
    const tokenizer = openTokenizerLater(options, source, native, model.contextPositions);
    const pool = openPool(options, source, native);
    const sequences = await Sequences.open(native, pool, sequenceLimit(model, await addon.devices()));
    return {
      ...{ request, model, native, sequences, tokenizer, pool },
      answers: new AnswerMemory(),
      closing: new AbortController(),
    };
  } catch (error) {
    native.dispose();
    throw error;
  }
}
