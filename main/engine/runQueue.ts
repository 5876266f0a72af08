/** First come, first served: as many runs at a time as there is room for, and no more waiting than can be served soon. */
import { AppError } from '../contract/errors.ts';

interface Waiting {
  readonly alone: boolean;
  begin(): void;
}

export class RunQueue {
  readonly #maxWaiting: number;
  readonly #onChange: () => void;
  readonly #waiting: Waiting[] = [];
  #idle: (() => void)[] = [];
  #capacity = 1;
  #running = 0;
  #isAlone = false;

  constructor(maxWaiting: number, onChange: () => void) {
    this.#maxWaiting = maxWaiting;
    this.#onChange = onChange;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#waiting.length;
  }

  /** How many may run at a time. Lowering it ends nothing. */
  setCapacity(capacity: number): void {
    this.#capacity = capacity;
    if (this.#admit()) this.#onChange();
  }

  /**
   * Runs `work` when its turn comes, or, with `alone`, when it can be the only one; null when the signal came first.
   * Throws BUSY when too many wait.
   */
  async run<T>(signal: AbortSignal, work: () => Promise<T>, { alone = false } = {}): Promise<T | null> {
    if (signal.aborted) return null;
    if (this.#waiting.length === 0 && this.#hasRoom(alone)) {
      this.#enter(alone);
      this.#onChange();
    } else if (!(await this.#waitForTurn(signal, alone))) {
      return null;
    }
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#isAlone = false;
      // The turn passes on before anyone else can come in.
      this.#admit();
      if (this.#running === 0) this.#idle.splice(0).forEach((resolve) => resolve());
      this.#onChange();
    }
  }

  /** Settles when nothing runs and nothing waits. */
  async whenIdle(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #hasRoom(alone: boolean): boolean {
    return !this.#isAlone && this.#running < (alone ? 1 : this.#capacity);
  }

  #enter(alone: boolean): void {
    this.#running += 1;
    this.#isAlone = alone;
  }

  /** Lets in whom there is room for; one that must be alone is not overtaken. */
  #admit(): boolean {
    let hasAdmitted = false;
    for (let next = this.#waiting[0]; next && this.#hasRoom(next.alone); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#enter(next.alone);
      next.begin();
      hasAdmitted = true;
    }
    return hasAdmitted;
  }

  async #waitForTurn(signal: AbortSignal, alone: boolean): Promise<boolean> {
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new AppError('BUSY', `${this.#waiting.length} answers are waiting already. Try again in a moment.`, {
        retryable: true,
      });
    }
    const isMyTurn = await new Promise<boolean>((resolve) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        this.#admit();
        resolve(false);
      };
      const begin = () => {
        signal.removeEventListener('abort', leave);
        resolve(true);
      };
      const entry = { alone, begin };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(entry);
      this.#onChange();
    });
    if (!isMyTurn) this.#onChange();
    return isMyTurn;
  }
}
