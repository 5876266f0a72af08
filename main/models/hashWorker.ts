/**
 * Worker thread: digests of files, read from the disk in order. A reader may run behind a writer: it never goes past
 * the offset it was told. Beside the digest it gives, when asked, the CRC-32 of every part, so that damage is located.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { crc32 } from 'node:zlib';

import type { HashReply, HashRequest } from './hasher.ts';

interface Job {
  readonly fd: number;
  readonly hash: Hash;
  readonly partBytes: number;
  /** null when nobody asks for them. */
  readonly crcs: number[] | null;
  offset: number;
}

/** Small enough that what was read is still in the processor's cache when it is digested. */
const buffer = Buffer.allocUnsafeSlow(128 * 1024);
const jobs = new Map<number, Job>();

/** Between two slices other messages are looked at, so that one file never holds up another or a close. */
const sliceBytes = 128 * buffer.length;

function advance(job: Job, target: number): void {
  while (job.offset < target) {
    const intoPart = job.offset % job.partBytes;
    const wanted = Math.min(buffer.length, target - job.offset, job.partBytes - intoPart);
    const n = readSync(job.fd, buffer, 0, wanted, job.offset);
    if (n === 0) throw new Error('the file is shorter than it should be');
    const bytes = buffer.subarray(0, n);
    job.hash.update(bytes);
    if (job.crcs) job.crcs[Math.floor(job.offset / job.partBytes)] = crc32(bytes, intoPart === 0 ? 0 : job.crcs.at(-1));
    job.offset += n;
  }
}

const post = (reply: HashReply) => parentPort?.postMessage(reply);

function close(id: number): void {
  const job = jobs.get(id);
  if (job) closeSync(job.fd);
  jobs.delete(id);
}

function work(id: number, target: number, last: boolean): void {
  const job = jobs.get(id);
  if (!job) return;
  advance(job, Math.min(target, job.offset + sliceBytes));
  post({ id, kind: 'progress', offset: job.offset });
  if (job.offset < target) {
    setImmediate(() => guarded(id, () => work(id, target, last)));
  } else if (last) {
    post({ id, kind: 'done', digest: job.hash.digest('hex'), crcs: job.crcs ?? [] });
    close(id);
  }
}

function guarded(id: number, action: () => void): void {
  try {
    action();
  } catch (error) {
    close(id);
    const code = error instanceof Error && 'code' in error ? String(error.code) : null;
    post({ id, kind: 'failed', code, message: error instanceof Error ? error.message : String(error) });
  }
}

parentPort?.on('message', (request: HashRequest) =>
  guarded(request.id, () => {
    switch (request.kind) {
      case 'open':
        jobs.set(request.id, {
          fd: openSync(request.file, 'r'),
          hash: createHash(request.algorithm).update(request.prefix),
          partBytes: request.partBytes,
          crcs: request.crcs ? [] : null,
          offset: 0,
        });
        break;
      case 'advance':
        work(request.id, request.offset, request.last);
        break;
      case 'close':
        close(request.id);
        break;
      default:
        request satisfies never;
    }
  }),
);
