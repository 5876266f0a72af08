/** Takes files that are on this machine already instead of fetching them: other revisions, other tools' caches. */
import { copyFile, link, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';

import { partialName, stateName } from './fileDownload.ts';
import { contentName } from './hasher.ts';
import type { FileDigest, Hasher } from './hasher.ts';
import type { RemoteFile } from './hub.ts';
import { stagingName } from './layout.ts';
import { PartState } from './partState.ts';
import { repoFolderName } from './repoFiles.ts';

export interface ReuseJob {
  readonly repo: string;
  /** Folders in the layout of the Hugging Face cache, the target's own among them. */
  readonly roots: readonly string[];
  readonly hasher: Hasher;
  readonly partBytes: number;
  readonly signal: AbortSignal;
}

/**
 * Puts `file` at `target` when the same content lies somewhere: a link where the disk allows, else a copy, its digest
 * checked first. Returns the digest, null when there is none.
 */
export async function reuseContent(job: ReuseJob, file: RemoteFile, target: string): Promise<FileDigest | null> {
  for (const candidate of await candidates(job, file)) {
    const digest = await job.hasher.digest(candidate, file, job.partBytes, { signal: job.signal }).catch(() => null);
    job.signal.throwIfAborted();
    if (digest?.digest !== contentName(file)) continue;
    if (candidate !== (await realpath(target).catch(() => null))) {
      // Removed first: writing into a file that is linked elsewhere would change it there too.
      await rm(target, { force: true });
      await link(candidate, target).catch(() => copyFile(candidate, target));
    }
    return digest;
  }
  return null;
}

/** Takes over the parts that an earlier download, of another commit, fetched of the same content. */
export async function reuseParts(job: ReuseJob, file: RemoteFile, target: string): Promise<void> {
  if (await exists(stateName(target))) return;
  for (const root of job.roots) {
    const staging = path.join(root, repoFolderName(job.repo), stagingName);
    for (const commit of await list(staging)) {
      const other = path.join(staging, commit, 'files', file.path);
      if (other === target || (await exists(path.join(staging, commit, 'lock')))) continue;
      const state = await PartState.load(stateName(other), file).catch(() => null);
      if (!state || state.doneBytes === 0) continue;
      // The state goes first: parts without a state are fetched again, a state without its parts is not believed.
      const moved = await rename(partialName(other), partialName(target)).then(
        () => rename(stateName(other), stateName(target)).then(() => true),
        () => false,
      );
      if (moved) return;
    }
  }
}

/** Files of the right size that may hold the content, nearest first, links resolved. */
async function candidates(job: ReuseJob, file: RemoteFile): Promise<readonly string[]> {
  const found: string[] = [];
  for (const root of job.roots) {
    const folder = path.join(root, repoFolderName(job.repo));
    const snapshots = (await list(path.join(folder, 'snapshots'))).map((commit) =>
      path.join(folder, 'snapshots', commit, file.path),
    );
    const staged = (await list(path.join(folder, stagingName))).map((commit) =>
      path.join(folder, stagingName, commit, 'files', file.path),
    );
    for (const candidate of [path.join(folder, 'blobs', contentName(file)), ...snapshots, ...staged]) {
      const real = await realpath(candidate).catch(() => null);
      if (real === null || found.includes(real)) continue;
      const info = await stat(real);
      if (info.isFile() && info.size === file.sizeBytes) found.push(real);
    }
  }
  return found;
}

const list = (folder: string) => readdir(folder).catch(() => [] as string[]);
const exists = (file: string) =>
  stat(file).then(
    () => true,
    () => false,
  );
