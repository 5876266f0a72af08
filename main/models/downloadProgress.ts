/** The numbers and words shown while a download runs. */
import type { DownloadState, DownloadStatus } from '../contract/domain.ts';
import type { AppError } from '../contract/errors.ts';
import { SpeedWindow } from './speedWindow.ts';
import { Throttle } from './throttle.ts';

/** At most ten events per second. */
const intervalMs = 100;

export class DownloadProgress {
  readonly #repo: string;
  readonly #throttle: Throttle<DownloadStatus>;
  #speed = new SpeedWindow();
  #revision: string;
  #state: DownloadState = 'waiting';
  #doneBytes = 0;
  #totalBytes = 0;
  #reason: AppError | null = null;
  #file: string | null = null;

  constructor(repo: string, revision: string, onStatus: (status: DownloadStatus) => void) {
    this.#repo = repo;
    this.#revision = revision;
    this.#throttle = new Throttle(intervalMs, onStatus);
  }

  get status(): DownloadStatus {
    const running = this.#state === 'running';
    const bytesPerSecond = running ? this.#speed.bytesPerSecond(performance.now()) : null;
    const missing = this.#totalBytes - this.#doneBytes;
    return {
      repo: this.#repo,
      revision: this.#revision,
      state: this.#state,
      doneBytes: this.#doneBytes,
      totalBytes: this.#totalBytes,
      bytesPerSecond,
      etaSeconds: bytesPerSecond ? Math.ceil(missing / bytesPerSecond) : null,
      reason: this.#reason?.info ?? null,
      file: this.#file,
    };
  }

  plan(commit: string, totalBytes: number, doneBytes: number): void {
    this.#revision = commit;
    this.#totalBytes = totalBytes;
    this.#doneBytes = doneBytes;
    this.#changed();
  }

  /** A new state is told at once. */
  enter(state: DownloadState, reason: AppError | null = null): void {
    if (state === 'running' && this.#state !== 'running') this.#speed = new SpeedWindow();
    this.#state = state;
    this.#reason = reason;
    this.#changed();
    this.#throttle.flush();
  }

  file(path: string | null): void {
    this.#file = path;
    this.#changed();
  }

  /** Bytes that were here already. */
  found(bytes: number): void {
    this.#doneBytes += bytes;
    this.#changed();
  }

  /** Bytes from the network, or, negative, ones that must come again. They end a wait. */
  fetched(bytes: number): void {
    this.#doneBytes += bytes;
    if (bytes > 0) this.#speed.add(bytes, performance.now());
    if (bytes > 0 && (this.#state === 'waiting' || this.#state === 'verifying')) this.enter('running');
    else this.#changed();
  }

  stop(): void {
    this.#throttle.stop();
  }

  #changed(): void {
    this.#throttle.push(() => this.status);
  }
}
