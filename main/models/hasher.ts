/** Digests of files, computed off the main thread. */
import path from 'node:path';
import { Worker } from 'node:worker_threads';

import { AppError } from '../contract/errors.ts';

export type HashRequest =
  | {
      readonly id: number;
      readonly kind: 'open';
      readonly file: string;
      readonly algorithm: 'sha256' | 'sha1';
      readonly prefix: string;
      readonly partBytes: number;
      readonly crcs: boolean;
    }
  | { readonly id: number; readonly kind: 'advance'; readonly offset: number; readonly last: boolean }
  | { readonly id: number; readonly kind: 'close' };

export type HashReply =
  | { readonly id: number; readonly kind: 'progress'; readonly offset: number }
  | { readonly id: number; readonly kind: 'done'; readonly digest: string; readonly crcs: readonly number[] }
  | { readonly id: number; readonly kind: 'failed'; readonly code: string | null; readonly message: string };

/** What a file's bytes must digest to: the sha256 of LFS, or git's sha1 of "blob SIZE\0" and the bytes. */
export interface ContentId {
  readonly sizeBytes: number;
  readonly sha256: string | null;
  readonly gitOid: string;
}

export interface FileDigest {
  readonly digest: string;
  /** CRC-32 of each part of `partBytes`; none unless they were asked for. */
  readonly crcs: readonly number[];
  readonly partBytes: number;
}

/** Beside this module: as it is written in the source tree, as a file of its own beside the bundle. */
const workerFile = path.join(import.meta.dirname, `hashWorker${path.extname(import.meta.filename)}`);

/** The one name of a content: what its digest must be. */
export const contentName = (content: ContentId): string => content.sha256 ?? content.gitOid;

interface Pending {
  readonly job: HashJob;
  readonly partBytes: number;
  readonly resolve: (digest: FileDigest) => void;
  readonly reject: (error: Error) => void;
}

/** One worker thread for any number of files. Starts at the first one; never keeps the process alive by itself. */
export class Hasher {
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | null = null;
  #lastId = 0;

  /** Opens a file that may still be growing. `crcs`: those of the parts are wanted, too; they cost half as much again. */
  follow(file: string, content: ContentId, partBytes: number, crcs = false): HashJob {
    const id = ++this.#lastId;
    const worker = this.#start();
    worker.ref();
    const job = new HashJob(id, content.sizeBytes, (request) => {
      worker.postMessage(request);
      if (request.kind === 'close') this.#fail(id, new AppError('CANCELLED', 'The check was stopped.'));
    });
    const digest = new Promise<FileDigest>((resolve, reject) =>
      this.#pending.set(id, { job, partBytes, resolve, reject }),
    );
    job.digest = digest;
    // Whoever waits for the digest sees the failure; whoever closed the job early does not care.
    digest.catch(() => undefined);
    worker.postMessage({
      id,
      kind: 'open',
      file,
      algorithm: content.sha256 === null ? 'sha1' : 'sha256',
      prefix: content.sha256 === null ? `blob ${content.sizeBytes}\0` : '',
      partBytes,
      crcs,
    } satisfies HashRequest);
    return job;
  }

  /** The digest of a whole file on disk. Throws DISK, and the signal's reason. */
  async digest(
    file: string,
    content: ContentId,
    partBytes: number,
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly onBytes?: ((hashed: number) => void) | undefined;
    } = {},
  ): Promise<FileDigest> {
    options.signal?.throwIfAborted();
    const job = this.follow(file, content, partBytes, true);
    job.onProgress = options.onBytes ?? null;
    const stop = () => this.#fail(job.id, options.signal?.reason as Error);
    options.signal?.addEventListener('abort', stop, { once: true });
    try {
      return await job.finish();
    } finally {
      options.signal?.removeEventListener('abort', stop);
      job.close();
    }
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    for (const id of [...this.#pending.keys()]) this.#fail(id, new AppError('CANCELLED', 'The app is closing.'));
    await worker?.terminate();
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(workerFile);
    worker.unref();
    worker.on('message', (reply: HashReply) => this.#take(reply));
    worker.on('error', (cause) => {
      this.#worker = null;
      for (const id of [...this.#pending.keys()]) {
        this.#fail(
          id,
          new AppError('INTERNAL', 'The thread that checks files has failed.', { retryable: true, cause }),
        );
      }
    });
    this.#worker = worker;
    return worker;
  }

  #take(reply: HashReply): void {
    const pending = this.#pending.get(reply.id);
    if (!pending) return;
    switch (reply.kind) {
      case 'progress':
        pending.job.hashedBytes = reply.offset;
        pending.job.onProgress?.(reply.offset);
        break;
      case 'done':
        this.#pending.delete(reply.id);
        this.#rest();
        pending.resolve({ digest: reply.digest, crcs: reply.crcs, partBytes: pending.partBytes });
        break;
      case 'failed':
        this.#fail(
          reply.id,
          new AppError('DISK', `A file could not be read back (${reply.code ?? reply.message}). Check the disk.`),
        );
        break;
      default:
        reply satisfies never;
    }
  }

  #fail(id: number, error: Error): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    this.#rest();
    pending?.reject(error);
  }

  /** While a digest is awaited the worker holds the process; between digests it does not. */
  #rest(): void {
    if (this.#pending.size === 0) this.#worker?.unref();
  }
}

/** One file being digested. */
export class HashJob {
  readonly id: number;
  readonly #sizeBytes: number;
  readonly #post: (request: HashRequest) => void;
  digest: Promise<FileDigest> | null = null;
  hashedBytes = 0;
  onProgress: ((hashedBytes: number) => void) | null = null;

  constructor(id: number, sizeBytes: number, post: (request: HashRequest) => void) {
    this.id = id;
    this.#sizeBytes = sizeBytes;
    this.#post = post;
  }

  /** Everything before `offset` is in the file for good. */
  advance(offset: number): void {
    this.#post({ id: this.id, kind: 'advance', offset, last: false });
  }

  /** The file is complete. */
  async finish(): Promise<FileDigest> {
    this.#post({ id: this.id, kind: 'advance', offset: this.#sizeBytes, last: true });
    if (!this.digest) throw new Error('the job was not opened');
    return this.digest;
  }

  close(): void {
    this.#post({ id: this.id, kind: 'close' });
  }
}
