/**
 * Where models lie: the layout of the Hugging Face cache, so that other tools find what we fetched and we find what they
 * did.
 *
 *   ROOT/models--OWNER--NAME/snapshots/COMMIT/FILE    the files themselves (other tools may keep links to blobs/ here)
 *   ROOT/models--OWNER--NAME/refs/REVISION            the commit a branch or tag stood for
 *   ROOT/models--OWNER--NAME/.nemoflash/COMMIT/       a download under way: plan.json, lock, files/
 *
 * A snapshot gets its name in one rename, when every file of it is there and verified.
 */
import { homedir } from 'node:os';
import path from 'node:path';

import { repoFolderName } from './repoFiles.ts';

export interface SnapshotPlaces {
  readonly repoFolder: string;
  readonly snapshot: string;
  readonly staging: string;
  readonly stagedFiles: string;
  readonly planFile: string;
  readonly lockFile: string;
}

export const stagingName = '.nemoflash';

/** Throws BAD_REQUEST or UNSAFE_NAME for a repository name that cannot be a folder. */
export function snapshotPlaces(root: string, repo: string, commit: string): SnapshotPlaces {
  const repoFolder = path.join(root, repoFolderName(repo));
  const staging = path.join(repoFolder, stagingName, commit);
  return {
    repoFolder,
    snapshot: path.join(repoFolder, 'snapshots', commit),
    staging,
    stagedFiles: path.join(staging, 'files'),
    planFile: path.join(staging, 'plan.json'),
    lockFile: path.join(staging, 'lock'),
  };
}

/** Where huggingface_hub keeps what it downloads. */
export function systemHfCache(): string {
  const { env } = process;
  const home = env['HF_HOME'] ?? path.join(env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'huggingface');
  return env['HF_HUB_CACHE'] ?? path.join(home, 'hub');
}
