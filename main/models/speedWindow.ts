/** Speed over a moving window, so that an estimate follows the network and forgets what is long past. */
export class SpeedWindow {
  readonly #windowMs: number;
  readonly #samples: { readonly at: number; readonly bytes: number }[] = [];
  #bytesInWindow = 0;

  constructor(windowMs = 10_000) {
    this.#windowMs = windowMs;
  }

  add(bytes: number, now: number): void {
    this.#samples.push({ at: now, bytes });
    this.#bytesInWindow += bytes;
    this.#drop(now);
  }

  /** null until a second of it has been seen. */
  bytesPerSecond(now: number): number | null {
    this.#drop(now);
    const first = this.#samples[0];
    if (!first || now - first.at < 1000) return null;
    return (this.#bytesInWindow * 1000) / (now - first.at);
  }

  #drop(now: number): void {
    let old = this.#samples[0];
    while (old && now - old.at > this.#windowMs) {
      this.#bytesInWindow -= old.bytes;
      this.#samples.shift();
      old = this.#samples[0];
    }
  }
}
