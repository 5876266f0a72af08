/** The key of the API: made once, kept for this user's eyes only, replaced on request. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { writeFileAtomic } from '../atomicFile.ts';
import { AppError } from '../contract/errors.ts';

const newKey = (): string => `nf-${randomBytes(24).toString('base64url')}`;

export class ApiKey {
  readonly #file: string;
  readonly #isGiven: boolean;
  #current: string;

  private constructor(file: string, current: string, isGiven: boolean) {
    this.#file = file;
    this.#current = current;
    this.#isGiven = isGiven;
  }

  /** `given` is used as it is and not kept. Throws DISK when a new key cannot be kept. */
  static async open(file: string, given?: string): Promise<ApiKey> {
    if (given !== undefined) return new ApiKey(file, given, true);
    const key = new ApiKey(file, readKeySync(file) ?? '', false);
    if (key.current === '') await key.rotate();
    return key;
  }

  get current(): string {
    return this.#current;
  }

  /** From now on only the new key opens. Throws UNSUPPORTED for one that was given from outside, and DISK. */
  async rotate(): Promise<string> {
    if (this.#isGiven) {
      throw new AppError('UNSUPPORTED', 'This key was given when Nemoflash was started. Start it with another one.');
    }
    const next = newKey();
    await writeFileAtomic(this.#file, `${next}\n`).catch((cause: unknown) => {
      throw new AppError('DISK', `The key cannot be kept in ${this.#file}. Nothing was changed.`, { cause });
    });
    this.#current = next;
    return next;
  }
}

/** null when there is none, or nothing usable. */
function readKeySync(file: string): string | null {
  try {
    const text = readFileSync(file, 'utf8').trim();
    return /^[\x21-\x7e]{8,200}$/.test(text) ? text : null;
  } catch {
    return null;
  }
}
