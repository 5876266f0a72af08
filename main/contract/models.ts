/** The published family, what is installed of it, and what is being fetched. */
import type { DeviceKind, KeptFormat, WeightFormat } from './device.ts';
import type { ErrorInfo } from './errors.ts';

export interface CatalogEntry {
  readonly repo: string;
  readonly name: string;
  readonly kind: 'chat' | 'base';
  readonly parameters: number;
}

/** The published family. Sizes and licence come from the hub when it is asked. */
export const catalog: readonly CatalogEntry[] = [
  {
    repo: 'nvidia/Nemotron-Flash-3B-Instruct',
    name: 'Nemotron-Flash-3B-Instruct',
    kind: 'chat',
    parameters: 2_749_998_624,
  },
  { repo: 'nvidia/Nemotron-Flash-3B', name: 'Nemotron-Flash-3B', kind: 'base', parameters: 2_749_998_624 },
  { repo: 'nvidia/Nemotron-Flash-1B', name: 'Nemotron-Flash-1B', kind: 'base', parameters: 960_000_000 },
];

export interface RepoFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** sha256 in hex for files in LFS, null for small ones. */
  readonly sha256: string | null;
}

export interface FormatForecast {
  readonly format: WeightFormat;
  readonly device: DeviceKind;
  readonly memoryBytes: number;
  readonly memoryFreeBytes: number;
  readonly fits: boolean;
  /** From the bandwidth of the device's memory; null where that is not known. */
  readonly tokensPerSecond: number | null;
}

/** What the hub says of a repository, before anything is fetched. */
export interface RepoDescription {
  readonly repo: string;
  readonly revision: string;
  readonly files: readonly RepoFile[];
  readonly totalBytes: number;
  readonly licence: { readonly id: string; readonly name: string; readonly link: string | null; readonly text: string };
  readonly gated: boolean;
  readonly targetFolder: string;
  readonly freeBytes: number;
  readonly forecasts: readonly FormatForecast[];
  readonly recommendedFormat: WeightFormat;
}

export interface InstalledModel {
  /** Stable, printable: the repository and short revision, or the name of an imported folder. */
  readonly id: string;
  readonly name: string;
  readonly repo: string | null;
  readonly revision: string | null;
  readonly folder: string;
  readonly sizeBytes: number;
  readonly origin: 'downloaded' | 'imported';
  readonly installedAt: number;
  readonly verifiedAt: number | null;
  readonly licenceId: string | null;
}

export type DownloadState = 'waiting' | 'running' | 'paused' | 'verifying' | 'failed' | 'done';

export interface DownloadStatus {
  readonly repo: string;
  readonly revision: string;
  readonly state: DownloadState;
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Over a moving window; null while unknown. */
  readonly bytesPerSecond: number | null;
  readonly etaSeconds: number | null;
  /** Why it is waiting, paused or failed. */
  readonly reason: ErrorInfo | null;
  readonly file: string | null;
}

/** A long task on an installed model. Its end is the reply to the request that began it. */
export interface ModelTask {
  readonly modelId: string;
  readonly kind: 'verify' | 'move' | 'repair' | 'makeFormat';
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** A weight format of an installed model, and whether it is made already: loading it is then a matter of a second. */
export interface ModelFormat {
  readonly format: KeptFormat;
  /** What the made form takes on the disk beside the model's own files; null: not made yet. */
  readonly cachedBytes: number | null;
  /** What a stopped conversion left on the disk, from where the next one goes on; 0 when there is nothing. */
  readonly stoppedBytes: number;
}

export interface ModelUpdate {
  readonly modelId: string;
  /** What the hub's main branch points to now. */
  readonly latestRevision: string;
  readonly available: boolean;
}

export interface VerifyReport {
  readonly modelId: string;
  readonly ok: boolean;
  readonly files: readonly { readonly path: string; readonly ok: boolean; readonly problem: string | null }[];
}
