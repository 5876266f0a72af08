/**
 * States of conversations on the disk, so that a chat goes on after a restart without being read again. A file is found
 * by the number and the hash of the tokens that lead to it; what it says of model, format, arithmetic and content is
 * checked by the engine. Bounded by bytes and age over all models, least recently used first out. Losing one costs time
 * and nothing else.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';

import type { NativeCheckpoint, NativeModel } from './addon.ts';

export const defaultStateBytes = 4 * 1024 ** 3;
/** Fewer tokens are read as quickly as a file. */
const minTokens = 256;
/** Deleted chats are gone after as many days, and so is what was kept of them here. */
const maxAgeMs = 30 * 24 * 3600 * 1000;

interface SavedStatesOptions {
  /** Of all models. */
  readonly root: string;
  /** The folder that the model was loaded from. */
  readonly source: string;
  readonly native: Pick<NativeModel, 'readCheckpoint' | 'writeCheckpoint'>;
  readonly maxBytes?: number | undefined;
  readonly now?: (() => number) | undefined;
}

export interface FoundState {
  readonly tokens: Int32Array;
  readonly checkpoint: NativeCheckpoint;
}

interface StateFile {
  readonly file: string;
  readonly bytes: number;
  readonly usedAt: number;
}

const bytesOf = (tokens: Int32Array) => new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
const nameOf = (count: number, hash: string) => `${count}-${hash}.nfstate`;

export class SavedStates {
  readonly #root: string;
  readonly #folder: string;
  readonly #native: SavedStatesOptions['native'];
  readonly #maxBytes: number;
  readonly #now: () => number;
  /** Names of the files that are there; null until the folder was read. */
  #names: Promise<Set<string>> | null = null;

  constructor({ root, source, native, maxBytes = defaultStateBytes, now = Date.now }: SavedStatesOptions) {
    const key = createHash('sha256').update(source).digest('hex').slice(0, 12);
    this.#root = root;
    this.#folder = path.join(root, `${path.basename(source).replace(/[^\w.@-]/g, '_')}-${key}`);
    this.#native = native;
    this.#maxBytes = maxBytes;
    this.#now = now;
  }

  /**
   * The furthest state on the way to `tokens` that is further than `beyond`; `why`: one was there and could not be used,
   * which removed it.
   */
  async find(tokens: Int32Array, beyond: number): Promise<{ found: FoundState | null; why: string | null }> {
    if (tokens.length < minTokens) return { found: null, why: null };
    const names = await this.#known();
    let why: string | null = null;
    for (const { count, name } of candidates(names, tokens, beyond)) {
      const file = path.join(this.#folder, name);
      const prefix = tokens.slice(0, count);
      const { checkpoint, why: problem } = await this.#native.readCheckpoint(file, prefix);
      if (checkpoint !== null) {
        const now = new Date(this.#now());
        await utimes(file, now, now).catch(() => undefined);
        return { found: { tokens: prefix, checkpoint }, why };
      }
      names.delete(name);
      if (problem !== '') why ??= problem;
      await rm(file, { force: true });
    }
    return { found: null, why };
  }

  /**
   * Keeps the state that these tokens lead to, unless it is soon read again. Returns why it could not, or null. The
   * checkpoint stays the caller's.
   */
  async keep(tokens: Int32Array, checkpoint: NativeCheckpoint): Promise<string | null> {
    if (tokens.length < minTokens) return null;
    const names = await this.#known();
    const name = nameOf(tokens.length, createHash('sha256').update(bytesOf(tokens)).digest('hex'));
    if (names.has(name)) return null;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const why = await this.#native.writeCheckpoint(checkpoint, path.join(this.#folder, name));
    if (why !== '') return why;
    names.add(name);
    await this.#dropOld();
    return null;
  }

  #known(): Promise<Set<string>> {
    this.#names ??= readdir(this.#folder).then(
      (names) => new Set(names),
      () => new Set(),
    );
    return this.#names;
  }

  async #dropOld(): Promise<void> {
    const names = await this.#known();
    const files = (await this.#allFiles()).toSorted((a, b) => b.usedAt - a.usedAt);
    let total = 0;
    for (const { file, bytes, usedAt } of files) {
      total += bytes;
      if (total <= this.#maxBytes && usedAt >= this.#now() - maxAgeMs) continue;
      await rm(file, { force: true });
      if (path.dirname(file) === this.#folder) names.delete(path.basename(file));
    }
  }

  async #allFiles(): Promise<readonly StateFile[]> {
    const names = await readdir(this.#root, { recursive: true }).catch(() => []);
    const files: StateFile[] = [];
    for (const name of names) {
      if (!name.endsWith('.nfstate')) continue;
      const file = path.join(this.#root, name);
      const info = await stat(file).catch(() => null);
      if (info !== null) files.push({ file, bytes: info.size, usedAt: info.mtimeMs });
    }
    return files;
  }
}

/** Files whose tokens begin `tokens`, the furthest first. One pass of hashing over the prompt for all of them. */
function candidates(names: ReadonlySet<string>, tokens: Int32Array, beyond: number) {
  const counts = new Set<number>();
  for (const name of names) {
    const count = Number(/^(\d+)-/.exec(name)?.[1] ?? NaN);
    if (count > beyond && count <= tokens.length) counts.add(count);
  }
  const hash = createHash('sha256');
  const found: { count: number; name: string }[] = [];
  let hashed = 0;
  for (const count of [...counts].sort((a, b) => a - b)) {
    hash.update(bytesOf(tokens.subarray(hashed, count)));
    hashed = count;
    const name = nameOf(count, hash.copy().digest('hex'));
    if (names.has(name)) found.unshift({ count, name });
  }
  return found;
}
