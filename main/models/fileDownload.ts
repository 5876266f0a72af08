/**
 * One file, in ranged parallel parts, digested while it grows, verified, and only then given its name.
 * Beside NAME lie NAME.partial (the bytes) and NAME.parts (what is claimed of them) until it is done.
 */
import { open, rename, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';

import { syncFolder } from '../atomicFile.ts';
import { AppError } from '../contract/errors.ts';
import { AddressBook } from './addressBook.ts';
import { Attempts, OneStreamOnly } from './attempts.ts';
import { Claims } from './claims.ts';
import { errorFromDisk } from './diskSpace.ts';
import { contentName } from './hasher.ts';
import type { FileDigest, Hasher, HashJob } from './hasher.ts';
import type { FileLocation, RemoteFile } from './hub.ts';
import type { Network } from './network.ts';
import { PartState } from './partState.ts';
import type { Part } from './partState.ts';
import { ContentChanged, fetchRange } from './rangeRequest.ts';
import type { StallOptions } from './rangeRequest.ts';
import type { RetryOptions } from './retry.ts';
import { TransferRun } from './transferRun.ts';

export interface TransferOptions {
  readonly partBytes: number;
  /** Connections per file. */
  readonly lanes: number;
  readonly stall: StallOptions;
  readonly retry: RetryOptions;
}

export interface FileJob {
  readonly file: RemoteFile;
  /** The name it gets when it is whole and right. */
  readonly target: string;
  readonly locate: (signal: AbortSignal) => Promise<FileLocation>;
  readonly network: Network;
  readonly hasher: Hasher;
  readonly transfer: TransferOptions;
  readonly signal: AbortSignal;
  readonly checkSpace: () => Promise<void>;
  /** Bytes that an earlier run left. */
  readonly onResumed: (bytes: number) => void;
  /** Bytes that were fetched, or, negative, that must be fetched again. */
  readonly onBytes: (delta: number) => void;
  /** A failure that will be retried. */
  readonly onTrouble: (error: AppError) => void;
  /** Everything is fetched; the rest of the digest is awaited. */
  readonly onVerifying: () => void;
}

export const partialName = (target: string): string => `${target}.partial`;
export const stateName = (target: string): string => `${target}.parts`;

const maxRestarts = 5;

export class FileDownload {
  readonly #job: FileJob;
  readonly #what: string;
  #state: PartState;
  #oneStream = false;
  readonly #attempts: Attempts;
  /** Parts that met trouble on their way: the first to be suspected when the digest is wrong. */
  readonly #troubled = new Set<Part>();

  private constructor(job: FileJob, state: PartState) {
    this.#job = job;
    this.#state = state;
    this.#what = `the file ${job.file.path}`;
    this.#attempts = new Attempts(job.transfer.retry, path.dirname(job.target), job.onTrouble);
  }

  /** Fetches the file, whatever it takes. Throws when going on needs someone: see the errors' own words. */
  static async run(job: FileJob): Promise<FileDigest> {
    let state = await PartState.load(stateName(job.target), job.file);
    const partial = await stat(partialName(job.target)).catch(() => null);
    if (partial?.size !== job.file.sizeBytes) state = null;
    const download = new FileDownload(job, state ?? PartState.fresh(job.file, job.transfer.partBytes));
    job.onResumed(download.#state.doneBytes);
    return download.#run();
  }

  async #run(): Promise<FileDigest> {
    const { job, partial } = { job: this.#job, partial: partialName(this.#job.target) };
    let handle: FileHandle;
    try {
      handle = await open(partial, 'r+').catch(() => open(partial, 'w+', 0o644));
      await handle.truncate(job.file.sizeBytes);
    } catch (error) {
      throw errorFromDisk(error, path.dirname(partial));
    }
    let digest: FileDigest;
    try {
      digest = await this.#untilRight(handle);
      await handle.sync();
    } catch (error) {
      throw errorFromDisk(error, path.dirname(partial));
    } finally {
      await handle.close();
    }
    await rename(partial, job.target);
    await syncFolder(path.dirname(job.target));
    await PartState.remove(stateName(job.target));
    return digest;
  }

  async #untilRight(handle: FileHandle): Promise<FileDigest> {
    for (let restarts = 0; ;) {
      try {
        if ((await this.#fetchAndDigest(handle)) === contentName(this.#job.file)) {
          const { parts, partBytes } = this.#state;
          return { digest: contentName(this.#job.file), crcs: parts.map((part) => part.crc), partBytes };
        }
        await this.#fetchBadParts(handle);
      } catch (error) {
        if (!(error instanceof ContentChanged) || ++restarts > maxRestarts) throw error;
        this.#job.onTrouble(error);
        await this.#startOver();
      }
    }
  }

  async #startOver(): Promise<void> {
    this.#job.onBytes(-this.#state.doneBytes);
    this.#state = PartState.fresh(this.#job.file, this.#job.transfer.partBytes);
    await PartState.save(stateName(this.#job.target), this.#state.snapshot());
  }

  /** All that is missing, with the digest following behind. */
  async #fetchAndDigest(handle: FileHandle): Promise<string> {
    const { hasher, file } = this.#job;
    const hash = hasher.follow(partialName(this.#job.target), file, this.#state.partBytes);
    try {
      await this.#fetchParts(handle, this.#state.parts, hash);
      this.#job.onVerifying();
      const stop = new Promise<never>((_, reject) => {
        if (this.#job.signal.aborted) reject(this.#job.signal.reason as Error);
        this.#job.signal.addEventListener('abort', () => reject(this.#job.signal.reason as Error), { once: true });
      });
      return (await Promise.race([hash.finish(), stop])).digest;
    } finally {
      hash.close();
    }
  }

  async #fetchParts(handle: FileHandle, parts: readonly Part[], hash: HashJob | null): Promise<void> {
    const job = this.#job;
    job.signal.throwIfAborted();
    const claims = new Claims({
      handle,
      state: this.#state,
      stateFile: stateName(job.target),
      limitBytes: Math.max(1, Math.floor(this.#state.partBytes / 2)),
      checkSpace: job.checkSpace,
    });
    const run = new TransferRun({ handle, state: this.#state, claims, hash, onBytes: job.onBytes });
    try {
      if (this.#oneStream) await this.#streamWhole(run, parts);
      else await this.#inLanes(run, parts);
    } catch (error) {
      if (!(error instanceof OneStreamOnly)) throw error;
      this.#oneStream = true;
      await this.#streamWhole(run, parts);
    } finally {
      // What was written is kept, also when a pause or a full disk ended the run; a claim that fails here loses nothing.
      await claims.flush().catch(() => undefined);
    }
    await claims.flush();
    run.advance(true);
  }

  async #inLanes(run: TransferRun, parts: readonly Part[]): Promise<void> {
    const queue = parts.filter((part) => part.doneBytes < part.sizeBytes);
    const group = new AbortController();
    const signal = AbortSignal.any([this.#job.signal, group.signal]);
    const book = this.#addressBook(signal);
    const lane = async () => {
      for (let part = queue.shift(); part && !signal.aborted; part = queue.shift()) {
        await this.#fetchPart(run, part, book, signal);
      }
    };
    const lanes = Array.from({ length: Math.min(this.#job.transfer.lanes, queue.length) }, () =>
      lane().catch((error: unknown) => {
        group.abort(error);
        throw error;
      }),
    );
    // Every lane has ended before anything is closed; the first failure is the one that counts.
    const ends = await Promise.allSettled(lanes);
    this.#job.signal.throwIfAborted();
    if (ends.some((end) => end.status === 'rejected')) throw group.signal.reason;
  }

  async #fetchPart(run: TransferRun, part: Part, book: AddressBook, signal: AbortSignal): Promise<void> {
    const { network, transfer } = this.#job;
    const progress = () => part.doneBytes;
    const onTrouble = () => this.#troubled.add(part);
    await this.#attempts.run({ signal, progress, book, enoughBytes: part.sizeBytes / 4, onTrouble }, (url) =>
      fetchRange(
        {
          network,
          url,
          what: this.#what,
          fromByte: part.startByte + part.doneBytes,
          toByte: part.startByte + part.sizeBytes,
          sizeBytes: this.#state.content.sizeBytes,
          etag: this.#state.etag,
          stall: transfer.stall,
          signal,
        },
        run.sink((batch) => run.take(part, batch)),
      ),
    );
  }

  /** For servers that know no ranges: the whole file in one go, writing what is missing of it. */
  async #streamWhole(run: TransferRun, parts: readonly Part[]): Promise<void> {
    const { network, transfer, signal } = this.#job;
    const { sizeBytes } = this.#state.content;
    const missing = () => parts.some((part) => part.doneBytes < part.sizeBytes);
    if (!missing()) return;
    const book = this.#addressBook(signal);
    const progress = () => this.#state.doneBytes;
    await this.#attempts.run({ signal, progress, book, enoughBytes: this.#state.partBytes / 4 }, async (url) => {
      let offset = 0;
      await fetchRange(
        {
          network,
          url,
          what: this.#what,
          fromByte: 0,
          toByte: sizeBytes,
          sizeBytes,
          etag: this.#state.etag,
          stall: transfer.stall,
          signal,
        },
        run.sink(async (batch) => {
          await run.takeMissing(batch, offset);
          offset += batch.reduce((sum, piece) => sum + piece.byteLength, 0);
        }),
        true,
      );
    });
  }

  #addressBook(signal: AbortSignal): AddressBook {
    return new AddressBook(() => this.#job.locate(signal), this.#job.file, this.#what);
  }

  /**
   * The digest is wrong. Parts whose bytes on disk differ from what arrived are fetched again. When there are none, a
   * part arrived wrong: parts are fetched again one by one, those that met trouble first, until one comes out
   * different. When none does, it is the hub that has other bytes than it says.
   */
  async #fetchBadParts(handle: FileHandle): Promise<void> {
    const { hasher, file, target, signal } = this.#job;
    const onDisk = await hasher.digest(partialName(target), file, this.#state.partBytes, { signal });
    const damaged = this.#state.parts.filter((part) => part.crc !== onDisk.crcs[part.index]);
    if (damaged.length > 0) {
      await this.#forget(damaged);
      return;
    }
    const suspects = [...this.#troubled, ...this.#state.parts.filter((part) => !this.#troubled.has(part))];
    for (const part of suspects) {
      const crc = part.crc;
      await this.#forget([part]);
      await this.#fetchParts(handle, [part], null);
      this.#troubled.delete(part);
      if (part.crc !== crc) return;
    }
    await this.#startOver();
    throw new AppError(
      'CHECKSUM',
      `What the hub sends for ${this.#what} does not match the checksum it publishes, also when fetched twice. Try again later, or another mirror.`,
    );
  }

  async #forget(parts: readonly Part[]): Promise<void> {
    for (const part of parts) {
      this.#job.onBytes(-part.doneBytes);
      this.#state.forget(part);
    }
    await PartState.save(stateName(this.#job.target), this.#state.snapshot());
  }
}
