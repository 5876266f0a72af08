/** Makes the weights of a format ahead of their first use. Answers that run meanwhile go on. */
import type { KeptFormat } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { loadAddon } from './addon.ts';
import { toAppError } from './engineError.ts';

export interface MakeWeightsRequest {
  /** A folder in Hugging Face layout. */
  readonly source: string;
  readonly format: KeptFormat;
  readonly cacheDir: string;
  readonly signal: AbortSignal;
  /** Weights converted so far, as bytes of the model's own files. */
  readonly onBytes: (doneBytes: number, totalBytes: number) => void;
}

/** More than any model has memory tokens; the weights do not depend on it. */
const contextPositions = 1024;

/** Returns at once when they are there, whole and up to date. Throws DISK when they cannot be kept, and CANCELLED. */
export async function makeWeights({ source, format, cacheDir, signal, onBytes }: MakeWeightsRequest): Promise<void> {
  const addon = loadAddon();
  const stop = new addon.StopFlag();
  const onAbort = () => stop.set();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) stop.set();
  const place = { source, device: 'cpu', deviceIndex: -1, threads: 0, format, contextPositions, cacheDir } as const;
  try {
    const { kept, notice } = await addon.makeCache({ ...place, stop }, ({ phase, doneBytes, totalBytes }) => {
      if (phase === 'quantising') onBytes(doneBytes, totalBytes);
    });
    if (!kept) throw new AppError('DISK', `${notice}.`);
  } catch (error) {
    throw toAppError(error);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
