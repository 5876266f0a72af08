/** What the model room is told when it is opened, and what holds without being told. */
import type { DownloadStatus, InstalledModel, KeptFormat, ModelTask, Settings } from '../contract/domain.ts';
import type { Home } from '../home.ts';
import type { Cipher } from './accessToken.ts';
import type { TransferOptions } from './fileDownload.ts';
import type { ForecastDevice } from './forecast.ts';
import type { TaskHandle } from './modelTasks.ts';
import { defaultRetry } from './retry.ts';

/** What the service needs of the settings; SettingsStore fits. */
export interface SettingsAccess {
  readonly current: Settings;
  acceptLicence(repo: string, revision: string, at: number): Promise<Settings>;
  onChange(listener: (settings: Settings) => void): () => void;
}

export interface ModelsServiceOptions {
  readonly home: Home;
  readonly settings: SettingsAccess;
  readonly onChanged: (models: readonly InstalledModel[]) => void;
  readonly onProgress: (status: DownloadStatus) => void;
  readonly onTask?: (task: ModelTask) => void;
  /** Free memory and measured bandwidth, for forecasts. */
  readonly devices?: () => Promise<readonly ForecastDevice[]>;
  /** The system's secret store for the hub's token; null: the token lasts as long as the program. */
  readonly cipher?: Cipher | null;
  /** The Hugging Face cache to look into before fetching; null: none. Default: the system's. */
  readonly hfCache?: string | null;
  /** The engine's, for makeFormat. */
  readonly makeWeights?: (request: MakeWeights) => Promise<void>;
  readonly transfer?: Partial<TransferOptions>;
  readonly reserveBytes?: number;
}

/** A request to make the weights of a format and keep them in `cacheDir`. */
export interface MakeWeights extends TaskHandle {
  readonly source: string;
  readonly format: KeptFormat;
  readonly cacheDir: string;
}

export const defaultTransfer: TransferOptions = {
  partBytes: 64 * 1024 * 1024,
  lanes: 4,
  stall: { windowMs: 20_000, minBytes: 16 * 1024 },
  retry: defaultRetry,
};
/** Bytes of the disk that stay free. */
export const defaultReserveBytes = 512 * 1024 * 1024;
