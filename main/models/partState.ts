/**
 * What of a file has been fetched, kept beside it so that a killed download goes on where it was. A byte is claimed
 * here only after it has reached the disk.
 */
import { readFile, rename, rm } from 'node:fs/promises';

import { writeFileAtomic } from '../atomicFile.ts';
import type { ContentId } from './hasher.ts';
import { contentName } from './hasher.ts';

interface StoredState {
  readonly version: 1;
  readonly content: string;
  readonly sizeBytes: number;
  readonly partBytes: number;
  /** ETag of the storage that the parts came from; null while none was seen. */
  readonly etag: string | null;
  /** Bytes fetched of each part, from its start, and their CRC-32. */
  readonly done: readonly number[];
  readonly crcs: readonly number[];
}

export interface Part {
  readonly index: number;
  readonly startByte: number;
  readonly sizeBytes: number;
  doneBytes: number;
  /** CRC-32 of the fetched bytes. */
  crc: number;
}

export class PartState {
  readonly content: ContentId;
  readonly partBytes: number;
  readonly parts: readonly Part[];
  etag: string | null;

  private constructor(content: ContentId, partBytes: number, stored: StoredState | null) {
    this.content = content;
    this.partBytes = partBytes;
    this.etag = stored?.etag ?? null;
    const count = Math.ceil(content.sizeBytes / partBytes);
    this.parts = Array.from({ length: count }, (_, index) => ({
      index,
      startByte: index * partBytes,
      sizeBytes: Math.min(partBytes, content.sizeBytes - index * partBytes),
      doneBytes: stored?.done[index] ?? 0,
      crc: stored?.crcs[index] ?? 0,
    }));
  }

  static fresh(content: ContentId, partBytes: number): PartState {
    return new PartState(content, partBytes, null);
  }

  /**
   * Reads a state file; null when there is none or it is about another content. One that makes no sense is set aside
   * as FILE.damaged. The part size of the file wins over today's, so that a new version of the app loses nothing.
   */
  static async load(file: string, content: ContentId): Promise<PartState | null> {
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    const stored = parseState(text);
    if (stored === null) {
      await rename(file, `${file}.damaged`);
      return null;
    }
    if (stored.content !== contentName(content) || stored.sizeBytes !== content.sizeBytes) return null;
    return new PartState(content, stored.partBytes, stored);
  }

  get doneBytes(): number {
    return this.parts.reduce((sum, part) => sum + part.doneBytes, 0);
  }

  get complete(): boolean {
    return this.parts.every((part) => part.doneBytes === part.sizeBytes);
  }

  /** The offset before which every byte is there. */
  get frontier(): number {
    const open = this.parts.find((part) => part.doneBytes < part.sizeBytes);
    return open ? open.startByte + open.doneBytes : this.content.sizeBytes;
  }

  forget(part: Part): void {
    part.doneBytes = 0;
    part.crc = 0;
  }

  /** The state as text. Take it before the data is synced, write it after. */
  snapshot(): string {
    const stored: StoredState = {
      version: 1,
      content: contentName(this.content),
      sizeBytes: this.content.sizeBytes,
      partBytes: this.partBytes,
      etag: this.etag,
      done: this.parts.map((part) => part.doneBytes),
      crcs: this.parts.map((part) => part.crc),
    };
    return `${JSON.stringify(stored)}\n`;
  }

  static save(file: string, snapshot: string): Promise<void> {
    return writeFileAtomic(file, snapshot);
  }

  static remove(file: string): Promise<void> {
    return rm(file, { force: true });
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function parseState(text: string): StoredState | null {
  let raw: Partial<Record<keyof StoredState, unknown>>;
  try {
    raw = JSON.parse(text) as typeof raw;
  } catch {
    return null;
  }
  if (typeof raw !== 'object' || raw === null || raw.version !== 1 || typeof raw.content !== 'string') return null;
  const { sizeBytes, partBytes, done, crcs, etag } = raw;
  if (!isCount(sizeBytes) || !isCount(partBytes) || partBytes === 0 || !Array.isArray(done) || !Array.isArray(crcs)) {
    return null;
  }
  const count = Math.ceil(sizeBytes / partBytes);
  if (done.length !== count || crcs.length !== count || !crcs.every(isCount)) return null;
  const fits = done.every(
    (bytes, index) => isCount(bytes) && bytes <= Math.min(partBytes, sizeBytes - index * partBytes),
  );
  if (!fits || !(etag === null || typeof etag === 'string')) return null;
  return raw as StoredState;
}
