/**
 * A whole model at one commit: listed, room made, every file fetched or found and verified, then given its name in one
 * rename. May be paused, resumed, killed and begun again at any moment.
 */
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';

import type { DownloadStatus } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { makeFolderSync } from '../makeFolder.ts';
import { reuseContent, reuseParts } from './contentReuse.ts';
import type { ReuseJob } from './contentReuse.ts';
import { diskFullError, errorFromDisk, freeBytesAt } from './diskSpace.ts';
import { savePlan } from './downloadPlan.ts';
import type { DownloadPlan } from './downloadPlan.ts';
import { DownloadProgress } from './downloadProgress.ts';
import { FileDownload, stateName } from './fileDownload.ts';
import type { TransferOptions } from './fileDownload.ts';
import type { FileDigest, Hasher } from './hasher.ts';
import type { Hub, RemoteFile, RemoteSnapshot } from './hub.ts';
import { snapshotPlaces } from './layout.ts';
import type { SnapshotPlaces } from './layout.ts';
import type { Network } from './network.ts';
import { PartState } from './partState.ts';
import { publish } from './publish.ts';
import type { RecordedFile } from './records.ts';
import { assertSafeNames } from './repoFiles.ts';
import { retrying } from './retry.ts';
import { takeLock } from './snapshotLock.ts';

export interface SnapshotJob {
  readonly repo: string;
  readonly commit: string;
  /** The branch or tag the commit was chosen by, to be noted for other tools; null: none. */
  readonly reference: string | null;
  /** The folder that holds models--OWNER--NAME. */
  readonly root: string;
  /** Other folders of that layout in which to look for files before fetching them. */
  readonly otherRoots: readonly string[];
  readonly acceptedAt: number;
  readonly hub: Hub;
  readonly network: Network;
  readonly hasher: Hasher;
  readonly transfer: TransferOptions;
  /** Bytes of the disk that stay free. */
  readonly reserveBytes: number;
  readonly onStatus: (status: DownloadStatus) => void;
  /** The disk is short of this many bytes: what can be cleared is cleared. */
  readonly makeRoom: (bytes: number) => Promise<void>;
  /** The snapshot has its name. */
  readonly onInstalled: (plan: DownloadPlan, folder: string, files: readonly RecordedFile[]) => Promise<void>;
}

/** Why a run was stopped from outside. */
type Stop = 'pause' | 'cancel';

export class SnapshotDownload {
  readonly #job: SnapshotJob;
  readonly #progress: DownloadProgress;
  #places: SnapshotPlaces | null = null;
  #stop: AbortController | null = null;
  #running: Promise<void> | null = null;

  constructor(job: SnapshotJob) {
    this.#job = job;
    this.#progress = new DownloadProgress(job.repo, job.commit, job.onStatus);
  }

  /** A download found on disk after a restart: shown as paused, with what it has. */
  static async paused(job: SnapshotJob, plan: DownloadPlan): Promise<SnapshotDownload> {
    const download = new SnapshotDownload(job);
    const places = (download.#places = snapshotPlaces(job.root, job.repo, plan.commit));
    let doneBytes = 0;
    for (const file of plan.files) {
      const target = path.join(places.stagedFiles, file.path);
      const whole = await sizeOf(target);
      doneBytes += whole ?? (await PartState.load(stateName(target), file))?.doneBytes ?? 0;
    }
    download.#progress.plan(plan.commit, totalBytes(plan.files), doneBytes);
    download.#progress.enter('paused');
    return download;
  }

  get status(): DownloadStatus {
    return this.#progress.status;
  }

  get root(): string {
    return this.#job.root;
  }

  /** Settles when the download is done, paused, failed or cancelled; never throws. */
  get settled(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  /** Starts or goes on; does nothing while it runs or when it is done. */
  start(): void {
    if (this.#running || this.status.state === 'done') return;
    const stop = (this.#stop = new AbortController());
    this.#progress.enter('waiting');
    this.#running = this.#run(stop.signal)
      .then(() => this.#progress.enter('done'))
      .catch((error: unknown) => this.#settle(error, stop.signal))
      .finally(() => {
        this.#running = null;
        this.#stop = null;
      });
  }

  /** Resolves when nothing is written any more. With a reason, the pause says why. */
  async pause(reason: AppError | null = null): Promise<void> {
    if (!this.#running) return;
    this.#stop?.abort(new Stopped('pause', reason));
    await this.#running;
  }

  /** Stops and deletes what was fetched. */
  async cancel(): Promise<void> {
    this.#stop?.abort(new Stopped('cancel', null));
    await this.#running;
    this.#progress.stop();
    if (this.#places) await rm(this.#places.staging, { recursive: true, force: true });
  }

  #settle(error: unknown, signal: AbortSignal): void {
    if (signal.aborted && signal.reason instanceof Stopped) {
      if (signal.reason.kind === 'pause') this.#progress.enter('paused', signal.reason.why);
      return;
    }
    const known =
      error instanceof AppError
        ? error
        : new AppError('INTERNAL', 'The download met an unexpected problem. Resume it to try again.', { cause: error });
    // What the user can mend outside the app pauses; the rest has failed.
    const waits = known.code === 'DISK_FULL' || known.code === 'OFFLINE';
    this.#progress.enter(waits ? 'paused' : 'failed', known);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { hub, repo, commit, root, transfer } = this.#job;
    const snapshot = await retrying(
      transfer.retry,
      signal,
      (error) => this.#progress.enter('waiting', error),
      () => hub.describe(repo, commit, signal),
    );
    const places = (this.#places = snapshotPlaces(root, repo, snapshot.commit));
    try {
      makeFolderSync(places.stagedFiles);
    } catch (error) {
      throw errorFromDisk(error, root);
    }
    const unlock = await takeLock(places.lockFile);
    try {
      await this.#fetch(snapshot, places, signal);
    } catch (error) {
      throw errorFromDisk(error, root);
    } finally {
      await unlock();
    }
  }

  async #fetch(snapshot: RemoteSnapshot, places: SnapshotPlaces, signal: AbortSignal): Promise<void> {
    const { repo, reference, acceptedAt } = this.#job;
    const { commit, files } = snapshot;
    assertSafeNames(files.map((file) => file.path));
    const plan: DownloadPlan = {
      version: 1,
      repo,
      commit,
      reference,
      files,
      licenceId: snapshot.licence.id,
      acceptedAt,
    };
    await savePlan(places.planFile, plan);
    this.#progress.plan(commit, totalBytes(files), 0);

    const missing: RemoteFile[] = [];
    const recorded: RecordedFile[] = [];
    for (const file of files) {
      this.#progress.file(file.path);
      const digest = await this.#find(file, path.join(places.stagedFiles, file.path), signal);
      if (digest) recorded.push({ ...file, partBytes: digest.partBytes, crcs: digest.crcs });
      else missing.push(file);
    }
    await this.#assertRoom(places, missing);
    // Small files first: what is wrong with a model shows early.
    for (const file of missing.sort((a, b) => a.sizeBytes - b.sizeBytes)) {
      this.#progress.file(file.path);
      const digest = await this.#fetchFile(file, places, commit, signal);
      recorded.push({ ...file, partBytes: digest.partBytes, crcs: digest.crcs });
    }
    this.#progress.file(null);
    this.#progress.enter('verifying');
    signal.throwIfAborted();
    await publish(plan, places, () => this.#job.onInstalled(plan, places.snapshot, recorded));
  }

  /** A file that is on this machine already, checked again in full. */
  async #find(file: RemoteFile, target: string, signal: AbortSignal): Promise<FileDigest | null> {
    const { repo, root, otherRoots, hasher, transfer } = this.#job;
    const reuse: ReuseJob = { repo, roots: [root, ...otherRoots], hasher, partBytes: transfer.partBytes, signal };
    const present = await reuseContent(reuse, file, target);
    if (present) this.#progress.found(file.sizeBytes);
    else await reuseParts(reuse, file, target);
    return present;
  }

  #fetchFile(file: RemoteFile, places: SnapshotPlaces, commit: string, signal: AbortSignal): Promise<FileDigest> {
    const { hub, network, hasher, transfer, repo } = this.#job;
    return FileDownload.run({
      file,
      target: path.join(places.stagedFiles, file.path),
      locate: (inner) => hub.locate(repo, commit, file.path, inner),
      network,
      hasher,
      transfer,
      signal,
      checkSpace: () => this.#assertReserve(places),
      onResumed: (bytes) => this.#progress.found(bytes),
      onBytes: (bytes) => this.#progress.fetched(bytes),
      onTrouble: (error) => this.#progress.enter('waiting', error),
      onVerifying: () => this.#progress.enter('verifying'),
    });
  }

  /** Before the first byte: all that is missing, and the reserve. */
  async #assertRoom(places: SnapshotPlaces, missing: readonly RemoteFile[]): Promise<void> {
    const { root, reserveBytes, makeRoom } = this.#job;
    let needed = reserveBytes;
    for (const file of missing) {
      const state = await PartState.load(stateName(path.join(places.stagedFiles, file.path)), file);
      needed += file.sizeBytes - (state?.doneBytes ?? 0);
    }
    if (missing.length === 0 || (await freeBytesAt(root)) >= needed) return;
    await makeRoom(needed);
    const free = await freeBytesAt(root);
    if (free < needed) throw diskFullError(root, needed, free);
  }

  /** During: others use the disk too. */
  async #assertReserve({ staging }: SnapshotPlaces): Promise<void> {
    const free = await freeBytesAt(staging);
    if (free < this.#job.reserveBytes) throw diskFullError(this.#job.root, this.#job.reserveBytes, free);
  }
}

/** Carries a stop through the abort signal. */
class Stopped extends Error {
  readonly kind: Stop;
  readonly why: AppError | null;

  constructor(kind: Stop, why: AppError | null) {
    super(kind);
    this.kind = kind;
    this.why = why;
  }
}

const totalBytes = (files: readonly RemoteFile[]) => files.reduce((sum, file) => sum + file.sizeBytes, 0);

async function sizeOf(file: string): Promise<number | null> {
  return (await stat(file).catch(() => null))?.size ?? null;
}
