/** A download that is whole and verified becomes an installed model: one rename, then what is left over goes. */
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';

import { syncFolder, writeFileAtomic } from '../atomicFile.ts';
import type { DownloadPlan } from './downloadPlan.ts';
import type { RemoteFile } from './hub.ts';
import type { SnapshotPlaces } from './layout.ts';
import { assertSafeNames } from './repoFiles.ts';

/** `onInstalled` runs once the snapshot has its name. A kill in between costs nothing: the download is gone through again. */
export async function publish(
  plan: DownloadPlan,
  places: SnapshotPlaces,
  onInstalled: () => Promise<void>,
): Promise<void> {
  const snapshots = path.dirname(places.snapshot);
  await mkdir(snapshots, { recursive: true });
  await removeStrangers(places.stagedFiles, plan.files);
  await syncFolder(places.stagedFiles);
  if (await exists(places.snapshot)) {
    // Another tool's, or one that is being repaired; our own copies of its good files are in the new folder.
    await rename(places.snapshot, path.join(places.staging, `replaced-${Date.now()}`));
  }
  await rename(places.stagedFiles, places.snapshot);
  await syncFolder(snapshots);
  if (plan.reference !== null) await writeReference(places, plan.reference, plan.commit);
  await onInstalled();
  await rm(places.staging, { recursive: true, force: true });
  await removeSuperseded(places);
}

async function writeReference({ repoFolder }: SnapshotPlaces, reference: string, commit: string): Promise<void> {
  assertSafeNames([reference]);
  const file = path.join(repoFolder, 'refs', reference);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFileAtomic(file, commit);
}

const exists = async (file: string): Promise<boolean> => (await stat(file).catch(() => null)) !== null;

/** What is no file of the model, as a state that was set aside, stays out of the snapshot. Names are of one level. */
async function removeStrangers(folder: string, files: readonly RemoteFile[]): Promise<void> {
  const own = new Set(files.map((file) => file.path));
  for (const name of await readdir(folder)) if (!own.has(name)) await rm(path.join(folder, name), { recursive: true });
}

/** Downloads of other commits that this one has taken the place of. One that another process works on stays. */
async function removeSuperseded({ staging }: SnapshotPlaces): Promise<void> {
  const parent = path.dirname(staging);
  for (const commit of await readdir(parent).catch(() => [] as string[])) {
    if (!/^[0-9a-f]{40}$/.test(commit) || (await exists(path.join(parent, commit, 'lock')))) continue;
    await rm(path.join(parent, commit), { recursive: true, force: true });
  }
}
