/** The library: which models are installed, and where a name leads to. */
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

import type { InstalledModel } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { inspectCheckpoint } from './checkpoint.ts';
import type { DownloadPlan } from './downloadPlan.ts';
import type { ModelRecord, RecordedFile, Records } from './records.ts';
import { repoOfFolderName } from './repoFiles.ts';

export class ModelStore {
  readonly #records: Records;
  /** Folders in the layout of the Hugging Face cache that are ours to look through. */
  readonly #roots: () => readonly string[];

  constructor(records: Records, roots: () => readonly string[]) {
    this.#records = records;
    this.#roots = roots;
  }

  /** Models whose folder is there; one on a disk that is away returns with its disk. */
  async list(): Promise<readonly ModelRecord[]> {
    await this.#adopt();
    const records = await this.#records.list();
    const present = await Promise.all(records.map((record) => isFolder(record.folder)));
    return records.filter((_, index) => present[index]);
  }

  /** Throws NOT_FOUND, naming what there is. */
  async get(id: string): Promise<ModelRecord> {
    const models = await this.list();
    const found = models.find((model) => model.id === id);
    if (found) return found;
    const known =
      models.length === 0 ? 'None is installed' : `Installed: ${models.map((model) => model.id).join(', ')}`;
    throw new AppError('NOT_FOUND', `There is no model called ${id}. ${known}.`);
  }

  /** The folder of an installed model (its id, or its repository for the newest one) or a folder as it is. */
  async resolve(source: string): Promise<string> {
    if (source.startsWith('synthetic:')) return source;
    const models = await this.list();
    const named = models.find((model) => model.id === source) ?? models.findLast((model) => model.repo === source);
    if (named) return named.folder;
    if (await isFolder(source)) return path.resolve(source);
    return (await this.get(source)).folder;
  }

  put(record: ModelRecord): Promise<void> {
    return this.#records.put(record);
  }

  forget(id: string): Promise<void> {
    return this.#records.remove(id);
  }

  async addDownloaded(plan: DownloadPlan, folder: string, files: readonly RecordedFile[]): Promise<ModelRecord> {
    const now = Date.now();
    const record: ModelRecord = {
      version: 1,
      id: modelId(plan.repo, plan.commit),
      name: plan.repo.split('/')[1] ?? plan.repo,
      repo: plan.repo,
      revision: plan.commit,
      folder,
      sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
      origin: 'downloaded',
      installedAt: now,
      verifiedAt: now,
      licenceId: plan.licenceId,
      files,
    };
    await this.#records.put(record);
    return record;
  }

  /** Takes a folder in, where it lies. Throws what inspectCheckpoint finds wrong. */
  async import(folder: string): Promise<ModelRecord> {
    const { files } = await inspectCheckpoint(folder);
    const real = await realpath(folder);
    const known = (await this.#records.list()).find((record) => record.folder === real);
    if (known) return known;
    return this.#add(real, files, 'imported');
  }

  async #add(
    folder: string,
    files: readonly { readonly sizeBytes: number }[],
    origin: InstalledModel['origin'],
  ): Promise<ModelRecord> {
    const place = placeInLayout(folder);
    const taken = new Set((await this.#records.list()).map((record) => record.id));
    const wanted = place ? modelId(place.repo, place.commit) : path.basename(folder);
    let id = wanted;
    for (let number = 2; taken.has(id); number++) id = `${wanted}-${number}`;
    const record: ModelRecord = {
      version: 1,
      id,
      name: place?.repo.split('/')[1] ?? path.basename(folder),
      repo: place?.repo ?? null,
      revision: place?.commit ?? null,
      folder,
      sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
      origin,
      installedAt: Date.now(),
      verifiedAt: null,
      licenceId: null,
      files: [],
    };
    await this.#records.put(record);
    return record;
  }

  /**
   * Whole snapshots under our roots without a record get one: after the loss of a damaged one, or when a folder was put
   * there by hand. One that was moved there keeps its own record, to be verified in its new place.
   */
  async #adopt(): Promise<void> {
    const known = new Set((await this.#records.list()).map((record) => record.folder));
    for (const root of this.#roots()) {
      for (const repoFolder of await list(root)) {
        if (repoOfFolderName(repoFolder) === null) continue;
        const snapshots = path.join(root, repoFolder, 'snapshots');
        for (const commit of await list(snapshots)) {
          const folder = path.join(snapshots, commit);
          if (known.has(folder) || !placeInLayout(folder)) continue;
          const found = await inspectCheckpoint(folder).catch(() => null);
          if (found && !(await this.#moved(folder))) await this.#add(folder, found.files, 'downloaded');
        }
      }
    }
  }

  /** Gives a folder the record of the same commit whose own folder is gone. */
  async #moved(folder: string): Promise<boolean> {
    const place = placeInLayout(folder);
    for (const record of await this.#records.list()) {
      if (record.repo !== place?.repo || record.revision !== place.commit || (await isFolder(record.folder))) continue;
      await this.#records.put({ ...record, folder, verifiedAt: null });
      return true;
    }
    return false;
  }
}

/** The repository and the short commit. */
export function modelId(repo: string, commit: string): string {
  return `${repo}@${commit.slice(0, 7)}`;
}

/** ROOT/models--OWNER--NAME/snapshots/COMMIT, taken apart; null for any other folder. */
export function placeInLayout(
  folder: string,
): { readonly root: string; readonly repo: string; readonly commit: string } | null {
  const commit = path.basename(folder);
  const repoFolder = path.dirname(path.dirname(folder));
  const repo = repoOfFolderName(path.basename(repoFolder));
  const fits = path.basename(path.dirname(folder)) === 'snapshots' && /^[0-9a-f]{40}$/.test(commit) && repo !== null;
  return fits ? { root: path.dirname(repoFolder), repo, commit } : null;
}

const list = (folder: string) => readdir(folder).catch(() => [] as string[]);

async function isFolder(folder: string): Promise<boolean> {
  return (await stat(folder).catch(() => null))?.isDirectory() ?? false;
}
