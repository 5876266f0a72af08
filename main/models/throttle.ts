/** Calls `emit` with the newest value at most once per interval; `flush` hands on what is waiting at once. */
export class Throttle<T> {
  readonly #intervalMs: number;
  readonly #emit: (value: T) => void;
  #waiting: { readonly value: () => T } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #lastAt = -Infinity;

  constructor(intervalMs: number, emit: (value: T) => void) {
    this.#intervalMs = intervalMs;
    this.#emit = emit;
  }

  /** `value` is asked for when it is emitted, not before. */
  push(value: () => T): void {
    this.#waiting = { value };
    if (this.#timer) return;
    const wait = this.#lastAt + this.#intervalMs - performance.now();
    if (wait <= 0) this.flush();
    else this.#timer = setTimeout(() => this.flush(), wait).unref();
  }

  flush(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (!waiting) return;
    this.#lastAt = performance.now();
    this.#emit(waiting.value());
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#waiting = null;
  }
}
