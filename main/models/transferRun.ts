/** Where fetched bytes go: into the file, the state, the claims and the digest. */
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

import type { Claims } from './claims.ts';
import type { HashJob } from './hasher.ts';
import type { Part, PartState } from './partState.ts';
import type { RangeSink } from './rangeRequest.ts';

/** The digest is told of new bytes in steps of this size. */
const advanceEveryBytes = 4 * 1024 * 1024;

export interface TransferTargets {
  readonly handle: FileHandle;
  readonly state: PartState;
  readonly claims: Claims;
  /** Follows the bytes that are there without a gap; null when nobody wants a digest. */
  readonly hash: HashJob | null;
  readonly onBytes: (delta: number) => void;
}

export class TransferRun {
  readonly #to: TransferTargets;
  #advanced = 0;

  constructor(to: TransferTargets) {
    this.#to = to;
    this.advance(false);
  }

  sink(write: RangeSink['write']): RangeSink {
    return {
      onEtag: (etag) => {
        this.#to.state.etag ??= etag;
      },
      write,
    };
  }

  /** The next bytes of a part. */
  async take(part: Part, batch: readonly Uint8Array[]): Promise<void> {
    const { handle, claims, onBytes } = this.#to;
    let bytes = 0;
    for (let rest = batch; rest.length > 0;) {
      const { bytesWritten } = await handle.writev(rest, part.startByte + part.doneBytes);
      const written = split(rest, bytesWritten);
      for (const piece of written.before) {
        part.crc = crc32(piece, part.crc);
        giveBack(piece);
      }
      part.doneBytes += bytesWritten;
      bytes += bytesWritten;
      rest = written.after;
    }
    onBytes(bytes);
    this.advance(false);
    await claims.wrote(bytes);
  }

  /** Bytes of the whole file at an offset: those that are there already are passed over. */
  async takeMissing(batch: readonly Uint8Array[], offset: number): Promise<void> {
    const { partBytes, parts } = this.#to.state;
    const end = offset + sizeOf(batch);
    for (let at = offset; at < end;) {
      const part = parts[Math.floor(at / partBytes)];
      if (!part) return;
      const partEnd = Math.min(end, part.startByte + part.sizeBytes);
      const from = Math.max(at, part.startByte + part.doneBytes);
      if (from < partEnd && from === part.startByte + part.doneBytes) {
        await this.take(part, split(split(batch, from - offset).after, partEnd - from).before);
      }
      at = partEnd;
    }
  }

  /** Lets the digest go on to what is there without a gap. */
  advance(all: boolean): void {
    const { hash, state } = this.#to;
    if (!hash) return;
    const frontier = state.frontier;
    if (frontier - this.#advanced < (all ? 1 : advanceEveryBytes)) return;
    this.#advanced = frontier;
    hash.advance(frontier);
  }
}

const sizeOf = (batch: readonly Uint8Array[]) => batch.reduce((sum, piece) => sum + piece.byteLength, 0);

/** The first `bytes` of a batch, and the others. Nothing is copied. */
function split(
  batch: readonly Uint8Array[],
  bytes: number,
): { readonly before: readonly Uint8Array[]; readonly after: readonly Uint8Array[] } {
  const before: Uint8Array[] = [];
  const after: Uint8Array[] = [];
  let left = bytes;
  for (const piece of batch) {
    if (left > 0) before.push(piece.subarray(0, left));
    if (left < piece.byteLength) after.push(piece.subarray(Math.max(0, left)));
    left -= piece.byteLength;
  }
  return { before, after };
}

/**
 * Frees the memory of a piece that is done with, where it is all of its buffer: the collector, left to find gigabytes of
 * such buffers, would run thirty times per gigabyte.
 */
function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) buffer.transfer(0);
}
