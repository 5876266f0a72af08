/** The sequences that one model carries at the same time. There is one at first; more are made when they are needed. */
import type { DeviceReport, LoadedModel } from '../contract/domain.ts';
import type { NativeModel, NativeSession } from './addon.ts';
import type { CheckpointPool } from './checkpointPool.ts';
import type { Prompt } from './engineApi.ts';
import { toAppError } from './engineError.ts';
import { Position } from './position.ts';

export interface Sequence {
  readonly session: NativeSession;
  readonly position: Position;
}

const maxSequences = 64;
/** Closing must not take long. */
const maxSettled = 4;
/** Of the memory that is left once the model is loaded; the rest is for checkpoints and for other programs. */
const shareOfFreeMemory = 0.5;

/** How many sequences the device has room for besides the first. */
export function sequenceLimit(model: LoadedModel, { devices }: DeviceReport): number {
  const device = devices.find(({ kind, index }) => kind === model.device && index === model.deviceIndex);
  // The state, and a copy of it for undoing; the last logits; the attention cache.
  const bytes = 2 * model.stateBytes + 4 * model.vocab + model.kvBytesPerPosition * model.contextPositions;
  const fit = Math.floor(((device?.memoryFreeBytes ?? 0) * shareOfFreeMemory) / bytes);
  return Math.min(maxSequences, 1 + fit);
}

export class Sequences {
  readonly #native: NativeModel;
  readonly #pool: CheckpointPool;
  readonly #all: Sequence[] = [];
  // In order of use, oldest first.
  #free: Sequence[] = [];
  #limit: number;
  #isGrowing = false;
  #isDisposed = false;

  private constructor(native: NativeModel, pool: CheckpointPool, limit: number) {
    this.#native = native;
    this.#pool = pool;
    this.#limit = limit;
  }

  /** Throws OUT_OF_MEMORY when there is not even room for one. */
  static async open(native: NativeModel, pool: CheckpointPool, limit: number): Promise<Sequences> {
    const sequences = new Sequences(native, pool, limit);
    await sequences.#add();
    return sequences;
  }

  get count(): number {
    return this.#all.length;
  }

  /** Makes up to `wanted` more, unless that is under way, as far as there is room; whether there are more now. */
  async grow(wanted: number): Promise<boolean> {
    const count = Math.min(wanted, this.#limit - this.#all.length);
    if (this.#isGrowing || this.#isDisposed || count <= 0) return false;
    this.#isGrowing = true;
    const before = this.#all.length;
    try {
      // All at once, so that the engine makes them between two of its steps.
      const made = await Promise.allSettled(Array.from({ length: count }, () => this.#add()));
      const failed = made.find((outcome) => outcome.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      return true;
    } catch (error) {
      // What runs goes on, and what waits waits longer.
      this.#limit = this.#all.length;
      if (toAppError(error).code !== 'OUT_OF_MEMORY') throw error;
      return this.#all.length > before;
    } finally {
      this.#isGrowing = false;
    }
  }

  /** Of the free ones the one that has read most of this prompt; else one that nobody may come back to soon. */
  take(prompt: Prompt): Sequence {
    let best = this.#free[0];
    if (best === undefined) throw new Error('no sequence is free');
    for (const sequence of this.#free) {
      if (sequence.position.worthFor(prompt) > best.position.worthFor(prompt)) best = sequence;
    }
    this.#free = this.#free.filter((sequence) => sequence !== best);
    return best;
  }

  give(sequence: Sequence): void {
    this.#free.push(sequence);
  }

  /** Before the model goes: keeps where the conversations used last stand, and what is in memory, for another time. */
  async settle(): Promise<void> {
    for (const { session, position } of this.#free.slice(-maxSettled)) await position.settle(session);
    await this.#pool.flush();
  }

  /** Reaches for the device; throws DEVICE_LOST when it is gone. Nothing may be running. */
  async probe(): Promise<void> {
    (await this.#free.at(-1)?.session.save())?.dispose();
  }

  /** Gives memory back: only the one used last stays. Nothing may be running. */
  shrink(): void {
    for (const { session } of this.#free.splice(0, this.#free.length - 1)) session.dispose();
    this.#all.splice(0, this.#all.length, ...this.#free);
  }

  dispose(): void {
    this.#isDisposed = true;
    for (const { session } of this.#all) session.dispose();
  }

  async #add(): Promise<void> {
    const { contextPositions, metaTokens } = this.#native.info;
    const session = await this.#native.createSession({ maxPositions: contextPositions });
    if (this.#isDisposed) return session.dispose();
    const sequence = { session, position: new Position(this.#pool, metaTokens) };
    this.#all.push(sequence);
    this.#free.unshift(sequence);
  }
}
