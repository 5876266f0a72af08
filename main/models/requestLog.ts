/** A list of every request that left the app, for the page that shows it. Hosts and sizes only: no paths, no tokens. */
import { appendFileSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';

import type { NetworkRequest } from '../contract/domain.ts';

/** One file and one older one of this size: some 20 000 requests. */
const maxFileBytes = 2_000_000;
const maxShown = 2000;

export class RequestLog {
  #file: string | null;
  readonly #recent: NetworkRequest[] = [];

  /** `file` null keeps the list in memory only. */
  constructor(file: string | null) {
    this.#file = file;
  }

  /** A request that ended, well or badly. A disk that refuses the line never stops the request. */
  add(request: NetworkRequest): void {
    this.#recent.push(request);
    if (this.#recent.length > maxShown) this.#recent.shift();
    if (this.#file === null) return;
    try {
      mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o700 });
      const size = statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0;
      if (size > maxFileBytes) renameSync(this.#file, `${this.#file}.1`);
      appendFileSync(this.#file, `${JSON.stringify(request)}\n`, { mode: 0o600 });
    } catch {
      // From now on the list of this run is all there is.
      this.#file = null;
    }
  }

  /** Newest first, earlier runs included; lines that cannot be read are left out. */
  list(): readonly NetworkRequest[] {
    if (this.#file === null) return this.#recent.toReversed();
    const lines = [`${this.#file}.1`, this.#file].flatMap((file) => {
      try {
        return readFileSync(file, 'utf8').split('\n');
      } catch {
        return [];
      }
    });
    const requests = lines.flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as NetworkRequest];
      } catch {
        return [];
      }
    });
    return requests.slice(-maxShown).toReversed();
  }
}
