/**
 * Points to come back to, found by the tokens that lead there: in memory, bounded by bytes, least recently used first
 * out, and the ends of conversations behind it on the disk. Losing one costs time and nothing else: what it would have
 * saved is read again.
 */
import type { NativeCheckpoint } from './addon.ts';
import type { SavedStates } from './savedStates.ts';

export interface PoolEntry {
  /** Without memory tokens. */
  readonly tokens: Int32Array;
  readonly checkpoint: NativeCheckpoint;
}

/** Conversations kept when the model goes: closing must not take long. */
const maxFlushed = 4;

export class CheckpointPool {
  readonly #maxBytes: number;
  readonly #disk: Pick<SavedStates, 'find' | 'keep'> | null;
  readonly #onProblem: (why: string) => void;
  /** Writes under way, and of which tokens. */
  readonly #writes = new Map<Promise<void>, Int32Array>();
  // In order of use, oldest first.
  #entries: PoolEntry[] = [];

  /** `onProblem` hears why something could not be kept on the disk. */
  constructor(
    maxBytes: number,
    disk: Pick<SavedStates, 'find' | 'keep'> | null = null,
    onProblem: (why: string) => void = () => undefined,
  ) {
    this.#maxBytes = maxBytes;
    this.#disk = disk;
    this.#onProblem = onProblem;
  }

  get bytes(): number {
    return this.#entries.reduce((sum, { checkpoint }) => sum + checkpoint.bytes, 0);
  }

  get size(): number {
    return this.#entries.length;
  }

  /** Takes the checkpoint over. An older one at the same place gives way. */
  add(tokens: Int32Array, checkpoint: NativeCheckpoint): void {
    this.#put({ tokens, checkpoint });
    this.#makeRoom(null);
  }

  /**
   * Brings back from the disk what reaches further into these tokens than `reached` and than anything in memory. Tells
   * how far that is (0: nothing was brought back), and why a state that was there could not be used.
   */
  async fetch(
    tokens: Int32Array,
    reached: number,
  ): Promise<{ readonly restored: number; readonly why: string | null }> {
    if (this.#disk === null) return { restored: 0, why: null };
    const inMemory = this.#entries.filter((entry) => isPrefix(entry.tokens, tokens));
    const beyond = Math.max(reached, ...inMemory.map((entry) => entry.tokens.length));
    // What is still on its way there counts as there.
    await Promise.all([...this.#writes].filter(([, of]) => isPrefix(of, tokens)).map(([write]) => write));
    const { found, why } = await this.#disk.find(tokens, beyond);
    if (found !== null) {
      this.#put(found);
      this.#makeRoom(found);
    }
    return { restored: found?.tokens.length ?? 0, why };
  }

  /** Keeps the ends of the conversations used last on the disk, and waits for all that is being written. */
  async flush(): Promise<void> {
    const ends = this.#entries.filter((entry) => this.#isEnd(entry)).toReversed();
    for (const entry of ends.slice(0, maxFlushed)) await this.#keep(entry);
    await Promise.all(this.#writes.keys());
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

  #put(entry: PoolEntry): void {
    const same = this.#entries.find((other) => isSame(other.tokens, entry.tokens));
    if (same !== undefined) this.#drop(same);
    this.#entries.push(entry);
  }

  /** `spared` stays for now, however large it is: it is about to be used. */
  #makeRoom(spared: PoolEntry | null): void {
    while (this.bytes > this.#maxBytes) {
      const oldest = this.#entries.find((entry) => entry !== spared);
      if (oldest === undefined) break;
      this.#evict(oldest);
    }
  }

  /** Whether nothing in memory goes on from here. */
  #isEnd({ tokens }: PoolEntry): boolean {
    return !this.#entries.some((other) => other.tokens.length > tokens.length && isPrefix(tokens, other.tokens));
  }

  async #keep({ tokens, checkpoint }: PoolEntry): Promise<void> {
    try {
      const why = await this.#disk?.keep(tokens, checkpoint);
      if (why) this.#onProblem(why);
    } catch (error) {
      this.#onProblem(error instanceof Error ? error.message : String(error));
    }
  }

  /** Out of memory; the end of a conversation moves to the disk. */
  #evict(entry: PoolEntry): void {
    if (this.#disk === null || !this.#isEnd(entry)) {
      this.#drop(entry);
      return;
    }
    this.#entries = this.#entries.filter((other) => other !== entry);
    const write = this.#keep(entry).finally(() => {
      entry.checkpoint.dispose();
      this.#writes.delete(write);
    });
    this.#writes.set(write, entry.tokens);
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
