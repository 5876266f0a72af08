/** The hub's access token: in a file only under the system's secret store, else for this run only. */
import { readFileSync, renameSync, rmSync } from 'node:fs';
import process from 'node:process';

import { writeFileAtomic } from '../atomicFile.ts';
import type { TokenSource } from '../contract/domain.ts';

/** The system's secret store; Electron's safeStorage fits. */
export interface Cipher {
  /** Whether what is encrypted is really out of reach of other users. */
  available(): boolean;
  encrypt(text: string): Uint8Array;
  /** Throws when the secret store no longer knows the key. */
  decrypt(bytes: Uint8Array): string;
}

export interface AccessToken {
  get(): string | null;
  /** null forgets it. Returns whether the token outlives this run. */
  set(token: string | null): Promise<boolean>;
  source(): TokenSource;
}

/** A token set here goes before that of the environment (HF_TOKEN), which other tools of the hub read, too. */
export class StoredToken implements AccessToken {
  readonly #file: string;
  readonly #cipher: Cipher | null;
  #own: string | null = null;
  #stored = false;
  #read = false;

  /** `file` is used only where there is a cipher. */
  constructor(file: string, cipher: Cipher | null) {
    this.#file = file;
    this.#cipher = cipher;
  }

  get(): string | null {
    this.#load();
    return this.#own ?? process.env['HF_TOKEN'] ?? null;
  }

  async set(token: string | null): Promise<boolean> {
    this.#read = true;
    this.#own = token;
    this.#stored = token !== null && this.#cipher !== null && this.#cipher.available();
    if (token !== null && this.#cipher && this.#stored) {
      await writeFileAtomic(this.#file, Buffer.from(this.#cipher.encrypt(token)).toString('base64'));
    } else {
      rmSync(this.#file, { force: true });
    }
    return this.#stored;
  }

  source(): TokenSource {
    this.#load();
    if (this.#own !== null) return this.#stored ? 'stored' : 'run';
    return process.env['HF_TOKEN'] === undefined ? 'none' : 'environment';
  }

  /** At the first question, not at the start: the secret store may ask the user to unlock it. */
  #load(): void {
    if (this.#read) return;
    this.#read = true;
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch {
      return;
    }
    try {
      if (!this.#cipher?.available()) return;
      this.#own = this.#cipher.decrypt(Buffer.from(text, 'base64'));
      this.#stored = true;
    } catch {
      // Another key or a damaged file: of no more use, and the user is asked again.
      renameSync(this.#file, `${this.#file}.damaged`);
    }
  }
}
