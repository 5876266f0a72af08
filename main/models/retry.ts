/** How long to wait before trying again. */
import { setTimeout as sleep } from 'node:timers/promises';

import { AppError } from '../contract/errors.ts';
import { TransferError } from './networkErrors.ts';

export interface RetryOptions {
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** Failures in a row, without progress, after which to give up. Infinity: never. */
  readonly maxFailures: number;
  readonly random: () => number;
}

export const defaultRetry: RetryOptions = {
  firstDelayMs: 500,
  maxDelayMs: 30_000,
  maxFailures: Infinity,
  random: Math.random,
};

/** Exponential, with half of it left to chance so that clients do not march in step; a server's own wish comes first. */
export function delayMs(error: unknown, failures: number, options: RetryOptions): number {
  if (error instanceof TransferError && error.retryAfterMs !== null) return error.retryAfterMs;
  const full = Math.min(options.maxDelayMs, options.firstDelayMs * 2 ** Math.min(failures - 1, 30));
  return full * (0.5 + 0.5 * options.random());
}

/** Repeats an action while its failures may pass. Throws the others, the last one, and the signal's reason. */
export async function retrying<T>(
  options: RetryOptions,
  signal: AbortSignal,
  onTrouble: (error: AppError) => void,
  action: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await action();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof AppError) || !error.retryable || failures > options.maxFailures) throw error;
      onTrouble(error);
      const waitMs = delayMs(error, failures, options);
      await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}
