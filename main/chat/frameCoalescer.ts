/** Gathers what an answer produces into at most one frame per ~16 ms: the rate of the screen, not of the model. */
import type { TokenTiming } from '../contract/domain.ts';

export const frameIntervalMs = 16;

export class FrameCoalescer {
  readonly #send: (text: string, timings: readonly TokenTiming[]) => void;
  #text = '';
  #timings: TokenTiming[] = [];
  #lastSentAt = -Infinity;
  #timer: NodeJS.Timeout | null = null;

  constructor(send: (text: string, timings: readonly TokenTiming[]) => void) {
    this.#send = send;
  }

  /** The first frame, and any that comes after a pause, leaves at once. */
  add(text: string, timings: readonly TokenTiming[]): void {
    this.#text += text;
    this.#timings.push(...timings);
    if (this.#timer !== null) return;
    const waitMs = this.#lastSentAt + frameIntervalMs - performance.now();
    if (waitMs <= 0) this.flush();
    else this.#timer = setTimeout(() => this.flush(), waitMs);
  }

  /** Sends what is waiting. No timer is left. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#text === '' && this.#timings.length === 0) return;
    const text = this.#text;
    const timings = this.#timings;
    this.#text = '';
    this.#timings = [];
    this.#lastSentAt = performance.now();
    this.#send(text, timings);
  }
}
