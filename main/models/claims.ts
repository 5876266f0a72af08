/**
 * Claims bytes as fetched once they are on the disk: data first, state second. Claims are made for all parts at once,
 * and writers wait when too much is unclaimed, so that a kill never costs more than `limitBytes`.
 */
import type { FileHandle } from 'node:fs/promises';

import { PartState } from './partState.ts';

export interface ClaimOptions {
  readonly handle: FileHandle;
  readonly state: PartState;
  readonly stateFile: string;
  /** Most bytes that may be written and not yet claimed. */
  readonly limitBytes: number;
  /** Asked before each claim; throws when the disk is about to be full. */
  readonly checkSpace: () => Promise<void>;
}

export class Claims {
  readonly #options: ClaimOptions;
  #unclaimedBytes = 0;
  #running: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(options: ClaimOptions) {
    this.#options = options;
  }

  /** Bytes were written and noted in the state. Waits when the limit is reached; throws what a claim met. */
  async wrote(bytes: number): Promise<void> {
    this.#unclaimedBytes += bytes;
    if (this.#unclaimedBytes >= this.#options.limitBytes / 2) this.#begin();
    while (this.#unclaimedBytes >= this.#options.limitBytes && !this.#failure) {
      this.#begin();
      await this.#running;
    }
    if (this.#failure) throw this.#failure.error;
  }

  /** Claims everything noted so far. */
  async flush(): Promise<void> {
    await this.#running;
    this.#begin();
    await this.#running;
    if (this.#failure) throw this.#failure.error;
  }

  #begin(): void {
    this.#running ??= this.#claim()
      .catch((error: unknown) => {
        this.#failure = { error };
      })
      .finally(() => {
        this.#running = null;
      });
  }

  async #claim(): Promise<void> {
    const { handle, state, stateFile, checkSpace } = this.#options;
    const bytes = this.#unclaimedBytes;
    const snapshot = state.snapshot();
    await handle.datasync();
    await PartState.save(stateFile, snapshot);
    this.#unclaimedBytes -= bytes;
    await checkSpace();
  }
}
