/** A loaded model, and how it came to be loaded. */
import type { DeviceKind, WeightFormat } from './device.ts';
import type { ErrorInfo } from './errors.ts';
import type { NumberRange } from './sampling.ts';

export const contextRange = { min: 512, max: 262_144, step: 256, default: 8192 } as const satisfies NumberRange;

export interface LoadedModel {
  /** Id of an installed model, or the synthetic:… name, or the folder it was loaded from. */
  readonly source: string;
  readonly name: string;
  readonly device: DeviceKind;
  readonly deviceIndex: number;
  readonly deviceName: string;
  readonly format: WeightFormat;
  readonly threads: number;
  readonly parameters: number;
  readonly layers: number;
  readonly vocab: number;
  readonly metaTokens: number;
  /** What the model was trained for; null when its config does not say. */
  readonly trainedPositions: number | null;
  /** Positions a conversation may fill, memory tokens included. */
  readonly contextPositions: number;
  readonly weightBytes: number;
  readonly stateBytes: number;
  readonly kvBytesPerPosition: number;
  readonly loadNs: number;
  /** cache: nothing had to be converted, an earlier load kept it. */
  readonly weightsFrom: 'source' | 'cache';
  /** Made-up weights: answers are noise, speed is real. */
  readonly synthetic: boolean;
}

export const loadPhases = ['reading', 'quantising', 'uploading', 'warming', 'saving'] as const;
export type LoadPhase = (typeof loadPhases)[number];

export interface LoadRequest {
  /** Id of an installed model, a folder, or synthetic:NAME. */
  readonly source: string;
  readonly device?: DeviceKind | 'auto' | undefined;
  readonly deviceIndex?: number | undefined;
  readonly format?: WeightFormat | 'auto' | undefined;
  readonly contextPositions?: number | undefined;
  readonly threads?: number | undefined;
  /** CUDA: false runs a decode step kernel by kernel. For comparisons; slower. */
  readonly useGraph?: boolean | undefined;
}

/** `lost`: the GPU is gone; nothing falls back by itself. */
export type EngineStatus =
  | { readonly state: 'empty'; readonly lastError: ErrorInfo | null }
  | {
      readonly state: 'loading';
      readonly request: LoadRequest;
      readonly phase: LoadPhase;
      readonly doneBytes: number;
      readonly totalBytes: number;
    }
  | { readonly state: 'ready'; readonly model: LoadedModel; readonly running: number; readonly queued: number }
  | { readonly state: 'lost'; readonly request: LoadRequest; readonly error: ErrorInfo };
