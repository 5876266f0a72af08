/** Trying again: without end while it may help, waiting longer each time nothing came. */
import { setTimeout as sleep } from 'node:timers/promises';

import { AppError } from '../contract/errors.ts';
import type { AddressBook } from './addressBook.ts';
import { errorFromDisk } from './diskSpace.ts';
import { AddressRefused, ContentChanged, RangeIgnored } from './rangeRequest.ts';
import { delayMs } from './retry.ts';
import type { RetryOptions } from './retry.ts';

/** The server knows no ranges: go on with one plain request for the whole file. */
export class OneStreamOnly extends Error {}

export interface Attempt {
  readonly signal: AbortSignal;
  readonly book: AddressBook;
  /** Bytes present so far. */
  readonly progress: () => number;
  /** An attempt that brought this many was no failure in a row. At most 1 MiB is asked. */
  readonly enoughBytes: number;
  readonly onTrouble?: () => void;
}

/** New addresses asked for in a row before a refusal is believed. */
const maxRefusals = 3;

/** The attempts at one file, over all its lanes. */
export class Attempts {
  readonly #retry: RetryOptions;
  readonly #folder: string;
  readonly #onTrouble: (error: AppError) => void;
  #rangesIgnored = 0;
  /** No request before this moment: a server asked for it. */
  #holdUntil = 0;

  constructor(retry: RetryOptions, folder: string, onTrouble: (error: AppError) => void) {
    this.#retry = retry;
    this.#folder = folder;
    this.#onTrouble = onTrouble;
  }

  /** Returns when `action` succeeded. Throws what no retry can mend, OneStreamOnly, and the signal's reason. */
  async run(attempt: Attempt, action: (url: string) => Promise<void>): Promise<void> {
    const { signal, book } = attempt;
    const enough = Math.min(1024 * 1024, attempt.enoughBytes);
    for (let failures = 0, refusals = 0; ;) {
      const before = attempt.progress();
      let url: string | null = null;
      try {
        await pause(this.#holdUntil - Date.now(), signal);
        url = await book.get();
        await action(url);
        return;
      } catch (thrown) {
        signal.throwIfAborted();
        const error = this.#retryableOrThrow(thrown);
        attempt.onTrouble?.();
        const progressed = attempt.progress() - before >= enough;
        failures = progressed ? 1 : failures + 1;
        if (progressed) refusals = 0;
        if (error instanceof AddressRefused && url !== null) {
          await book.refuse(url);
          if (++refusals > maxRefusals) throw error.refusal;
        }
        if (failures > this.#retry.maxFailures) throw error;
        this.#onTrouble(error);
        const waitMs = delayMs(error, failures, this.#retry);
        if (error.code === 'HUB_RATE_LIMITED') this.#holdUntil = Math.max(this.#holdUntil, Date.now() + waitMs);
        // A first refusal is the ordinary end of a signed address: the next one costs no waiting.
        if (!(error instanceof AddressRefused && refusals === 1)) await pause(waitMs, signal);
      }
    }
  }

  #retryableOrThrow(thrown: unknown): AppError {
    const error = errorFromDisk(thrown, this.#folder);
    if (!(error instanceof AppError) || !error.retryable || error.code === 'DISK_FULL') throw error;
    if (error instanceof ContentChanged) throw error;
    if (error instanceof RangeIgnored && ++this.#rangesIgnored >= 2) throw new OneStreamOnly();
    return error;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}
