/** One run at a time, first come first served, and no more waiting than can be served soon. */
import { AppError } from '../contract/errors.ts';

export class RunQueue {
  readonly #maxWaiting: number;
  readonly #onChange: () => void;
  readonly #waiting: (() => void)[] = [];
  #idle: (() => void)[] = [];
  #isRunning = false;

  constructor(maxWaiting: number, onChange: () => void) {
    this.#maxWaiting = maxWaiting;
    this.#onChange = onChange;
  }

  get running(): number {
    return this.#isRunning ? 1 : 0;
  }

  get queued(): number {
    return this.#waiting.length;
  }

  /** Runs `work` when its turn comes; null when the signal came first. Throws BUSY when too many wait. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | null> {
    if (signal.aborted) return null;
    if (this.#isRunning && !(await this.#waitForTurn(signal))) return null;
    this.#isRunning = true;
    this.#onChange();
    try {
      return await work();
    } finally {
      this.#isRunning = false;
      const next = this.#waiting.shift();
      // The turn passes on before anyone else can come in.
      if (next) {
        this.#isRunning = true;
        next();
      } else {
        this.#idle.splice(0).forEach((resolve) => resolve());
      }
      this.#onChange();
    }
  }

  /** Settles when nothing runs and nothing waits. */
  async whenIdle(): Promise<void> {
    if (!this.#isRunning) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #waitForTurn(signal: AbortSignal): Promise<boolean> {
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new AppError('BUSY', `${this.#waiting.length} answers are waiting already. Try again in a moment.`, {
        retryable: true,
      });
    }
    const isMyTurn = await new Promise<boolean>((resolve) => {
      const turn = () => {
        signal.removeEventListener('abort', leave);
        resolve(true);
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        resolve(false);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(turn);
      this.#onChange();
    });
    if (!isMyTurn) this.#onChange();
    return isMyTurn;
  }
}
