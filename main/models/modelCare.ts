/** What is done to installed models: verify, repair, move, remove, put back. */
import { mkdir, rename } from 'node:fs/promises';
import path from 'node:path';

import type { VerifyReport } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { errorFromDisk } from './diskSpace.ts';
import type { Downloads } from './downloads.ts';
import type { Hasher } from './hasher.ts';
import { snapshotPlaces } from './layout.ts';
import { placeInLayout } from './modelStore.ts';
import type { ModelStore } from './modelStore.ts';
import type { ModelTasks, TaskHandle } from './modelTasks.ts';
import { canRename, copyModel, folderUnder, removeFiles } from './moveModel.ts';
import type { ModelRecord } from './records.ts';
import type { RemovedModels } from './removedModels.ts';
import { salvageParts } from './salvage.ts';
import type { Damage } from './salvage.ts';
import { verifyModel } from './verify.ts';
import type { WeightCaches } from './weightCaches.ts';

export interface CareOptions {
  readonly store: ModelStore;
  readonly tasks: ModelTasks;
  readonly hasher: Hasher;
  readonly weights: WeightCaches;
  readonly removed: RemovedModels;
  readonly downloads: Downloads;
  readonly partBytes: number;
  readonly reserveBytes: number;
  /** The list of models is another now. */
  readonly onChanged: () => Promise<void>;
}

export class ModelCare {
  readonly #with: CareOptions;

  constructor(options: CareOptions) {
    this.#with = options;
  }

  async verify(modelId: string): Promise<VerifyReport> {
    return (await this.#examine(modelId)).report;
  }

  /** Verifies; when something is wrong, fetches the damaged parts again from the same commit and verifies once more. */
  async repair(modelId: string): Promise<VerifyReport> {
    const damage = await this.#examine(modelId);
    if (damage.report.ok) return damage.report;
    const place = placeInLayout(damage.record.folder);
    if (!place) {
      throw new AppError(
        'UNSUPPORTED',
        `Where ${modelId} came from is not known, so it cannot be fetched again. Copy its files anew, or download the model.`,
      );
    }
    const { root, repo, commit } = place;
    const { stagedFiles } = snapshotPlaces(root, repo, commit);
    await salvageParts(damage, stagedFiles, this.#with.reserveBytes).catch((error: unknown) => {
      throw errorFromDisk(error, root);
    });
    const acceptedAt = damage.record.installedAt;
    const download = await this.#with.downloads.start({ repo, commit, reference: null, root, acceptedAt });
    await download.settled;
    const { state, reason } = download.status;
    if (state !== 'done') {
      throw reason
        ? new AppError(reason.code, reason.message, { retryable: reason.retryable })
        : new AppError('CANCELLED', 'The repair was stopped. Resume the download to finish it.');
    }
    return this.verify(modelId);
  }

  /** A rename on the same disk; else a copy, verified before the old files go. `root` is the new models folder. */
  move(modelId: string, root: string): Promise<ModelRecord> {
    const { store, tasks, onChanged } = this.#with;
    return tasks.run(modelId, 'move', async (task) => {
      const record = await store.get(modelId);
      if (await canRename(record, root)) await this.#rename(record, root);
      else await this.#copy(record, root, task);
      await onChanged();
      return store.get(modelId);
    });
  }

  /** Returns the bytes to be freed: those of a model we downloaded; an imported folder is only forgotten. */
  async remove(modelId: string): Promise<number> {
    const { store, removed, weights, onChanged } = this.#with;
    const record = await store.get(modelId);
    await removed.put(record);
    await store.forget(modelId);
    await onChanged();
    const weightBytes = await weights.removeAll(record.folder);
    return weightBytes + (record.origin === 'downloaded' ? record.sizeBytes : 0);
  }

  async restore(modelId: string): Promise<ModelRecord> {
    const { store, removed, onChanged } = this.#with;
    const record = await removed.takeBack(modelId);
    if (!record) throw new AppError('NOT_FOUND', `${modelId} is gone for good. Download it again.`);
    await store.put(record);
    await onChanged();
    return record;
  }

  async #examine(modelId: string): Promise<Damage> {
    const { store, tasks, hasher, partBytes, onChanged } = this.#with;
    const record = await store.get(modelId);
    return tasks.run(modelId, 'verify', async (task) => {
      const { report, digests, files } = await verifyModel(record, { hasher, partBytes, ...task });
      await store.put({ ...record, files, verifiedAt: report.ok ? Date.now() : null });
      await onChanged();
      return { record, report, digests };
    });
  }

  async #rename(record: ModelRecord, root: string): Promise<void> {
    const folder = folderUnder(root, record);
    try {
      await mkdir(path.dirname(folder), { recursive: true });
      await rename(record.folder, folder);
    } catch (error) {
      throw errorFromDisk(error, folder);
    }
    await this.#with.weights.move(record.folder, folder);
    await this.#with.store.put({ ...record, folder });
  }

  async #copy(record: ModelRecord, root: string, task: TaskHandle): Promise<void> {
    const { hasher, partBytes, reserveBytes, store, weights } = this.#with;
    const { signal } = task;
    const { report, files } = await verifyModel(record, { hasher, partBytes, signal, onBytes: () => undefined });
    if (!report.ok) throw new AppError('CHECKSUM', `${record.id} is damaged. Repair it before you move it.`);
    const folder = await copyModel(record, files, root, { hasher, reserveBytes, ...task });
    await store.put({ ...record, files, folder, verifiedAt: Date.now() });
    await removeFiles(record.folder, files);
    await weights.removeAll(record.folder);
  }
}
