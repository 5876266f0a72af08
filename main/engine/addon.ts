/** The surface of native/addon, typed once by hand, and the only place that loads the .node file. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import type { DeviceKind, DeviceReport, LoadPhase, SamplingOptions, WeightFormat } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { ClassTimes, DeviceLimits, GpuSample, Stage } from '../contract/metrics.ts';

/** May be set from anywhere, once; every job it was given to ends within milliseconds. */
export interface StopFlag {
  set(): void;
}

export interface NativeLoadOptions {
  /** A folder in Hugging Face layout, or synthetic:NAME. */
  readonly source: string;
  readonly device: DeviceKind;
  /** -1: the GPU with the most free memory. */
  readonly deviceIndex: number;
  /** 0: one per physical core. */
  readonly threads: number;
  readonly format: WeightFormat;
  readonly contextPositions: number;
  /** CUDA: decode steps in one piece (a resident kernel or a graph), unless false: kernel by kernel. */
  readonly useGraph?: boolean | undefined;
  /** Where what the load computes (quantised weights above all) is kept for the next one; '': nowhere. */
  readonly cacheDir: string;
  readonly stop?: StopFlag | undefined;
}

export interface NativeLoadProgress {
  readonly phase: LoadPhase;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface NativeModelInfo {
  readonly source: string;
  readonly device: DeviceKind;
  readonly deviceIndex: number;
  readonly deviceName: string;
  readonly format: WeightFormat;
  readonly layers: number;
  readonly vocab: number;
  readonly hidden: number;
  readonly metaTokens: number;
  /** 0 when the config does not say. */
  readonly trainedPositions: number;
  readonly contextPositions: number;
  readonly threads: number;
  readonly endTokens: readonly number[];
  readonly parameters: number;
  readonly weightBytes: number;
  readonly stateBytes: number;
  readonly kvBytesPerPosition: number;
  /** cache: what the load needs computed was kept by an earlier one. */
  readonly weightsFrom: 'source' | 'cache';
  /** Why the cache was not used or could not be kept, in a sentence; mostly ''. */
  readonly cacheNotice: string;
}

export interface NativeModel {
  readonly info: NativeModelInfo;
  /** The stages of one decode step with so many positions in the cache. */
  stages(contextPositions: number): readonly Stage[];
  /** Measured now, on the engine thread: about a second. */
  limits(): Promise<DeviceLimits>;
  /** Writes a file that appears whole or not at all; why it could not, or ''. Off the engine thread. */
  writeCheckpoint(checkpoint: NativeCheckpoint, file: string): Promise<string>;
  /**
   * What such a file holds for these tokens (without memory tokens); null when it is not there, or is of another model,
   * format, arithmetic or conversation, or damaged: then `why` says so. Off the engine thread.
   */
  readCheckpoint(
    file: string,
    tokens: Int32Array,
  ): Promise<{ readonly checkpoint: NativeCheckpoint | null; readonly why: string }>;
  createSession(options: { readonly maxPositions: number }): Promise<NativeSession>;
  /** Idempotent. Sessions keep the weights alive until they are disposed of too. */
  dispose(): void;
}

export interface NativeCheckpoint {
  readonly position: number;
  readonly bytes: number;
  dispose(): void;
}

/** The filters of the contract, and what the service has settled by the time a token is drawn. */
export interface NativeSampling extends Omit<SamplingOptions, 'maxNewTokens' | 'seed' | 'stop' | 'promptFormat'> {
  readonly seed: number;
  readonly logprobs: number;
  readonly ignoreEnd: boolean;
  readonly logitBias?: readonly (readonly [token: number, bias: number])[] | undefined;
  /** Bit i % 32 of word i >> 5: token i may be taken. */
  readonly allowed?: Int32Array | undefined;
}

export interface NativeStep {
  readonly token: number;
  readonly isEnd: boolean;
  readonly logprob: number;
  readonly stampNs: number;
  readonly forwardNs: number;
  readonly sampleNs: number;
  /** Absent where the device cannot tell without being slowed. */
  readonly classNs?: ClassTimes;
  readonly top: readonly { readonly token: number; readonly logprob: number }[];
}

export interface NativeFrame {
  /** Of `tokens`, read so far, and the time that took. */
  readonly prefilledTokens: number;
  readonly elapsedNs: number;
  readonly steps: readonly NativeStep[];
}

export interface NativeGenerateRequest {
  /** Where to start: where the session stands, behind the memory tokens, or at `checkpoint`. */
  readonly start: 'current' | 'empty' | 'checkpoint';
  readonly checkpoint?: NativeCheckpoint | undefined;
  /** Save where the session stands before leaving it. */
  readonly saveFirst: boolean;
  /** To read. None: the answer goes on where the last one was cut. */
  readonly tokens: Int32Array;
  /** Counts of `tokens` after which to save, ascending. */
  readonly saveAfter: readonly number[];
  readonly sampling: NativeSampling;
  /** 0: only read. */
  readonly maxNewTokens: number;
  /** Time every stage of every token, which slows them. */
  readonly trace?: boolean | undefined;
  /** The next token will be asked for as soon as this one is known: a batch waits a moment for that. */
  readonly continues?: boolean | undefined;
  readonly stop?: StopFlag | undefined;
}

export interface NativeGenerateResult {
  readonly finish: 'stop' | 'length' | 'context' | 'cancelled';
  /** Tokens consumed, memory tokens included. The last token of the answer is not consumed. */
  readonly position: number;
  readonly startedNs: number;
  readonly prefilledNs: number;
  readonly finishedNs: number;
  readonly before: NativeCheckpoint | null;
  readonly saved: readonly { readonly after: number; readonly checkpoint: NativeCheckpoint }[];
  /** Of a traced request: the median of each stage, in the order of stages(). */
  readonly stageNs: readonly number[] | null;
}

export interface NativeEvaluateRequest {
  readonly tokens: Int32Array;
  /** The layers' outputs too. */
  readonly hidden: boolean;
  readonly stop?: StopFlag | undefined;
}

/**
 * Layer -1: logits [tokens, vocab]. Otherwise the residual stream [tokens, hidden] after layer - 1 layers: 0 is the
 * embedding, layers + 1 the final norm. The engine waits while a piece is with the listener and the next is ready.
 */
export type RowsListener = (layer: number, firstToken: number, tokens: number, rows: Float32Array) => void;

/** One sequence. Requests run one after another on the engine thread. */
export interface NativeSession {
  readonly position: number;
  /** Never rejects because of a stop: finish says so. */
  generate(request: NativeGenerateRequest, onFrame?: (frame: NativeFrame) => void): Promise<NativeGenerateResult>;
  /** Reads tokens and hands over what the model makes of each. Rejects with CANCELLED on a stop. */
  evaluate(request: NativeEvaluateRequest, onRows: RowsListener): Promise<number>;
  /** Logits [vocab] after the last consumed token. */
  logits(): Promise<Float32Array>;
  save(): Promise<NativeCheckpoint>;
  restore(checkpoint: NativeCheckpoint): Promise<void>;
  reset(): Promise<void>;
  /** Idempotent. What was asked for before still runs. */
  dispose(): void;
}

export interface NativeBenchOptions extends NativeLoadOptions {
  /** Positions in the cache when decoding starts, memory tokens included. */
  readonly contexts: readonly number[];
  /** Decoded per measurement. */
  readonly tokens: number;
  readonly repeats: number;
  /** Also time every stage. */
  readonly anatomy: boolean;
}

/** Errors carry a `code` of contract/errors.ts. Arguments that are wrong throw at once, all else rejects. */
export interface Addon {
  readonly StopFlag: new () => StopFlag;
  devices(): Promise<DeviceReport>;
  /** Bytes per second that all cores read from this computer's memory; takes half a second and, meanwhile, 1 GiB. */
  readBandwidth(): Promise<number>;
  loadModel(options: NativeLoadOptions, onProgress?: (progress: NativeLoadProgress) => void): Promise<NativeModel>;
  /** Loads, for what that leaves in cacheDir, and unloads; answers go on meanwhile. `kept`: a whole cache is there. */
  makeCache(
    options: NativeLoadOptions,
    onProgress?: (progress: NativeLoadProgress) => void,
  ): Promise<{ readonly kept: boolean; readonly notice: string }>;
  /** Loads, measures and unloads. One JSON object per context, with the names of BenchRow in nf/bench.h. */
  bench(options: NativeBenchOptions, onProgress?: (what: string) => void): Promise<readonly string[]>;
  /** Clocks, power and memory of a GPU by CUDA's number, off the engine thread; without one, why. */
  sampleGpu(deviceIndex: number): Promise<{ readonly sample: GpuSample | null; readonly reason: string | null }>;
  /** The clock that stamps steps, in nanoseconds. */
  nowNs(): number;
  /** All codes of the engine's own errors. */
  readonly errorCodes: readonly string[];
}

/** Beside main/ in the source tree, and beside out/ in a built app. */
export const addonFile = path.resolve(import.meta.dirname, '..', '..', 'build', 'native', 'Release', 'nemoflash.node');

/** Loads the native engine. Throws ADDON_MISSING with platform, cause and fix. */
export function loadAddon(file: string = addonFile): Addon {
  const platform = `${process.platform}-${process.arch}`;
  if (!existsSync(file)) {
    throw new AppError(
      'ADDON_MISSING',
      `The native engine for ${platform} is not there (${file}). Build it with "npm run native"; that needs g++ and cmake.`,
    );
  }
  const module: { exports: unknown } = { exports: {} };
  try {
    process.dlopen(module, file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError(
      'ADDON_MISSING',
      `The native engine does not load on ${platform} with Node ${process.versions.node}: ${reason}. ` +
        'If it was built on another system, build it here with "npm run native".',
      { cause },
    );
  }
  return module.exports as Addon;
}
