/**
 * Points to come back to, found by the tokens that lead there. Bounded by bytes, least recently used first out.
 * Losing one costs time and nothing else: what it would have saved is read again.
 */
import type { NativeCheckpoint } from './addon.ts';

export interface PoolEntry {
  /** Without memory tokens. */
  readonly tokens: Int32Array;
  readonly checkpoint: NativeCheckpoint;
}

export class CheckpointPool {
  readonly #maxBytes: number;
  // In order of use, oldest first.
  #entries: PoolEntry[] = [];

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#entries.reduce((sum, { checkpoint }) => sum + checkpoint.bytes, 0);
  }

  get size(): number {
    return this.#entries.length;
  }

  /** Takes the checkpoint over. An older one at the same place gives way. */
  add(tokens: Int32Array, checkpoint: NativeCheckpoint): void {
    const same = this.#entries.find((entry) => isSame(entry.tokens, tokens));
    if (same !== undefined) this.#drop(same);
    this.#entries.push({ tokens, checkpoint });
    while (this.bytes > this.#maxBytes) {
      const oldest = this.#entries[0];
      if (oldest === undefined) break;
      this.#drop(oldest);
    }
  }

  /** The checkpoint furthest into these tokens, or null. Counts as a use. */
  longestPrefixOf(tokens: Int32Array): PoolEntry | null {
    let best: PoolEntry | null = null;
    for (const entry of this.#entries) {
      if (entry.tokens.length > (best?.tokens.length ?? 0) && isPrefix(entry.tokens, tokens)) best = entry;
    }
    if (best !== null) {
      const used = best;
      this.#entries = [...this.#entries.filter((entry) => entry !== used), used];
    }
    return best;
  }

  has(tokens: Int32Array): boolean {
    return this.#entries.some((entry) => isSame(entry.tokens, tokens));
  }

  clear(): void {
    for (const entry of [...this.#entries]) this.#drop(entry);
  }

  #drop(entry: PoolEntry): void {
    this.#entries = this.#entries.filter((other) => other !== entry);
    entry.checkpoint.dispose();
  }
}

export function isPrefix(prefix: Int32Array, tokens: Int32Array): boolean {
  return prefix.length <= tokens.length && prefix.every((token, index) => token === tokens[index]);
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && isPrefix(a, b);
}
