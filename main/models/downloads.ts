/** The downloads under way, one per repository; those of earlier runs are found on disk and wait. */
import type { DownloadStatus } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { SnapshotDownload } from './download.ts';
import type { SnapshotJob } from './download.ts';
import { findPlans } from './downloadPlan.ts';

export type JobParts = Pick<SnapshotJob, 'repo' | 'commit' | 'reference' | 'root' | 'acceptedAt'>;

export class Downloads {
  readonly #downloads = new Map<string, SnapshotDownload>();
  readonly #roots: () => readonly string[];
  readonly #makeJob: (parts: JobParts) => SnapshotJob;
  #found: Promise<void> | null = null;

  constructor(roots: () => readonly string[], makeJob: (parts: JobParts) => SnapshotJob) {
    this.#roots = roots;
    this.#makeJob = makeJob;
  }

  async list(): Promise<readonly DownloadStatus[]> {
    await this.#find();
    return [...this.#downloads.values()].map((download) => download.status);
  }

  /** Begins, or goes on with what is there of the same commit. Throws BUSY while another commit is being fetched. */
  async start(parts: JobParts): Promise<SnapshotDownload> {
    await this.#find();
    const current = this.#downloads.get(parts.repo);
    const active = current && ['waiting', 'running', 'verifying'].includes(current.status.state);
    if (active && current.status.revision !== parts.commit) {
      throw new AppError('BUSY', `Another revision of ${parts.repo} is being downloaded. Cancel it first.`);
    }
    const download = active ? current : new SnapshotDownload(this.#makeJob(parts));
    this.#downloads.set(parts.repo, download);
    download.start();
    return download;
  }

  /** Throws NOT_FOUND when nothing of the repository is being downloaded. */
  async get(repo: string): Promise<SnapshotDownload> {
    await this.#find();
    const download = this.#downloads.get(repo);
    if (!download) throw new AppError('NOT_FOUND', `Nothing of ${repo} is being downloaded.`);
    return download;
  }

  async cancel(repo: string): Promise<void> {
    const download = await this.get(repo);
    await download.cancel();
    this.#downloads.delete(repo);
  }

  /** Stops all writing. */
  async pauseAll(reason: AppError | null = null): Promise<void> {
    await Promise.all([...this.#downloads.values()].map((download) => download.pause(reason)));
  }

  #find(): Promise<void> {
    this.#found ??= (async () => {
      for (const root of this.#roots()) {
        for (const plan of await findPlans(root)) {
          const { repo, commit, reference, acceptedAt } = plan;
          if (this.#downloads.has(repo)) continue;
          const job = this.#makeJob({ repo, commit, reference, acceptedAt, root });
          this.#downloads.set(repo, await SnapshotDownload.paused(job, plan));
        }
      }
    })();
    return this.#found;
  }
}
