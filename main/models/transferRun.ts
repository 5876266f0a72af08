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

  sink(write: (bytes: Uint8Array) => Promise<void>): RangeSink {
    return {
      onEtag: (etag) => {
        this.#to.state.etag ??= etag;
      },
      write,
    };
  }

  /** The next bytes of a part. */
  async take(part: Part, bytes: Uint8Array): Promise<void> {
    const { handle, claims, onBytes } = this.#to;
    for (let offset = 0; offset < bytes.byteLength;) {
      const at = part.startByte + part.doneBytes;
      const { bytesWritten } = await handle.write(bytes, offset, bytes.byteLength - offset, at);
      part.crc = crc32(bytes.subarray(offset, offset + bytesWritten), part.crc);
      part.doneBytes += bytesWritten;
      offset += bytesWritten;
    }
    onBytes(bytes.byteLength);
    this.advance(false);
    await claims.wrote(bytes.byteLength);
  }

  /** Bytes of the whole file at an offset: those that are there already are passed over. */
  async takeMissing(bytes: Uint8Array, offset: number): Promise<void> {
    const { partBytes, parts } = this.#to.state;
    for (let at = offset; at < offset + bytes.byteLength;) {
      const part = parts[Math.floor(at / partBytes)];
      if (!part) return;
      const end = Math.min(offset + bytes.byteLength, part.startByte + part.sizeBytes);
      const from = Math.max(at, part.startByte + part.doneBytes);
      if (from < end && from === part.startByte + part.doneBytes) {
        await this.take(part, bytes.subarray(from - offset, end - offset));
      }
      at = end;
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
