/** Removing a model so that it can be undone until the app ends or the space is needed. */
import { lstat, mkdir, readdir, readFile, readlink, rename, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';

import { stagingName } from './layout.ts';
import type { ModelRecord } from './records.ts';

interface Removed {
  readonly record: ModelRecord;
  /** Where its files wait; null when they were never ours to delete. */
  readonly aside: string | null;
}

const asideName = 'removed';

export class RemovedModels {
  readonly #removed = new Map<string, Removed>();

  /** Takes the model's folder out of sight. Imported folders stay where they are: they belong to the user. */
  async put(record: ModelRecord): Promise<void> {
    let aside: string | null = null;
    if (record.origin === 'downloaded') {
      const repoFolder = path.dirname(path.dirname(record.folder));
      aside = path.join(repoFolder, stagingName, asideName, `${path.basename(record.folder)}-${Date.now()}`);
      await mkdir(path.dirname(aside), { recursive: true });
      await rename(record.folder, aside);
    }
    this.#removed.set(record.id, { record, aside });
  }

  /** Puts it back; null when it is gone for good. */
  async takeBack(id: string): Promise<ModelRecord | null> {
    const removed = this.#removed.get(id);
    if (!removed) return null;
    if (removed.aside !== null) await rename(removed.aside, removed.record.folder);
    this.#removed.delete(id);
    return removed.record;
  }

  /** Deletes what waits. */
  async empty(): Promise<void> {
    for (const [id, { aside, record }] of [...this.#removed]) {
      this.#removed.delete(id);
      if (aside === null) continue;
      const repoFolder = path.dirname(path.dirname(record.folder));
      await deleteUnsharedBlobs(repoFolder, aside);
      await rm(aside, { recursive: true, force: true });
      await tidy(repoFolder);
    }
  }
}

/** Deletes what an earlier run of the app left waiting under a root. */
export async function emptyLeftovers(root: string): Promise<void> {
  for (const name of await list(root)) {
    if (!name.startsWith('models--')) continue;
    const folder = path.join(root, name, stagingName, asideName);
    if ((await list(folder)).length === 0) continue;
    await rm(folder, { recursive: true, force: true });
    await tidy(path.join(root, name));
  }
}

/** In another tool's layout a snapshot is links into blobs/: those that no other snapshot uses go with it. */
async function deleteUnsharedBlobs(repoFolder: string, removed: string): Promise<void> {
  const blobs = path.join(repoFolder, 'blobs');
  const targets = async (snapshot: string) => {
    const links = await Promise.all(
      (await list(snapshot)).map(async (name) => {
        const file = path.join(snapshot, name);
        return (await lstat(file)).isSymbolicLink() ? path.basename(await readlink(file)) : null;
      }),
    );
    return links.filter((name) => name !== null);
  };
  const used = new Set<string>();
  for (const commit of await list(path.join(repoFolder, 'snapshots'))) {
    for (const name of await targets(path.join(repoFolder, 'snapshots', commit))) used.add(name);
  }
  for (const name of await targets(removed)) {
    if (!used.has(name)) await rm(path.join(blobs, name), { force: true });
  }
}

/** References to commits that are gone, then folders that are empty. */
async function tidy(repoFolder: string): Promise<void> {
  const commits = await list(path.join(repoFolder, 'snapshots'));
  const references = path.join(repoFolder, 'refs');
  for (const name of await list(references)) {
    const file = path.join(references, name);
    const commit = await readFile(file, 'utf8').catch(() => '');
    if (/^[0-9a-f]{40}$/.test(commit) && !commits.includes(commit)) await rm(file, { force: true });
  }
  const staging = path.join(repoFolder, stagingName);
  const folders = [path.join(staging, asideName), staging, path.join(repoFolder, 'snapshots'), references];
  for (const folder of [...folders, path.join(repoFolder, 'blobs'), repoFolder]) {
    await rmdir(folder).catch(() => undefined);
  }
}

const list = (folder: string) => readdir(folder).catch(() => [] as string[]);
