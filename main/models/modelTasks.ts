/** Long tasks on installed models: one at a time per model, each can be stopped. */
import type { ModelTask } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { Throttle } from './throttle.ts';

export interface TaskHandle {
  readonly signal: AbortSignal;
  readonly onBytes: (doneBytes: number, totalBytes: number) => void;
}

export class ModelTasks {
  readonly #running = new Map<string, AbortController>();
  readonly #onTask: (task: ModelTask) => void;

  constructor(onTask: (task: ModelTask) => void) {
    this.#onTask = onTask;
  }

  /** Throws BUSY while the model has another task, CANCELLED when it was stopped. */
  async run<T>(modelId: string, kind: ModelTask['kind'], task: (handle: TaskHandle) => Promise<T>): Promise<T> {
    if (this.#running.has(modelId))
      throw new AppError('BUSY', 'This model is being worked on already. Wait, or stop that first.');
    const stop = new AbortController();
    const throttle = new Throttle<ModelTask>(100, this.#onTask);
    this.#running.set(modelId, stop);
    try {
      return await task({
        signal: stop.signal,
        onBytes: (doneBytes, totalBytes) => throttle.push(() => ({ modelId, kind, doneBytes, totalBytes })),
      });
    } finally {
      throttle.flush();
      this.#running.delete(modelId);
    }
  }

  cancel(modelId: string): void {
    this.#running.get(modelId)?.abort(new AppError('CANCELLED', 'Stopped, as asked. Nothing was changed.'));
  }

  cancelAll(): void {
    for (const modelId of this.#running.keys()) this.cancel(modelId);
  }
}
