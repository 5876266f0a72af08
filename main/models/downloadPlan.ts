/** What a download is to bring, kept with it so that it can be shown and gone on with after a restart. */
import { readdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';

import { writeFileAtomic } from '../atomicFile.ts';
import type { RemoteFile } from './hub.ts';
import { stagingName } from './layout.ts';
import { isPlainRecord } from './records.ts';
import { assertSafeNames } from './repoFiles.ts';

export interface DownloadPlan {
  readonly version: 1;
  readonly repo: string;
  readonly commit: string;
  /** The branch or tag that stood for the commit when it was chosen; null when a commit was asked for. */
  readonly reference: string | null;
  readonly files: readonly RemoteFile[];
  readonly licenceId: string;
  readonly acceptedAt: number;
}

export const savePlan = (file: string, plan: DownloadPlan): Promise<void> =>
  writeFileAtomic(file, `${JSON.stringify(plan, null, 2)}\n`);

/** null when there is none; one that makes no sense is set aside as plan.json.damaged. */
export async function loadPlan(file: string): Promise<DownloadPlan | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    return null;
  }
  const plan = parsePlan(text);
  if (plan === null) await rename(file, `${file}.damaged`).catch(() => undefined);
  return plan;
}

function parsePlan(text: string): DownloadPlan | null {
  try {
    const raw: unknown = JSON.parse(text);
    if (!isPlainRecord(raw) || raw['version'] !== 1 || !Array.isArray(raw['files'])) return null;
    const { repo, reference, commit, licenceId, acceptedAt, files } = raw;
    if (!(reference === null || typeof reference === 'string')) return null;
    if (![repo, commit, licenceId].every((value) => typeof value === 'string')) return null;
    if (typeof acceptedAt !== 'number' || !/^[0-9a-f]{40}$/.test(String(commit))) return null;
    if (!files.every(isRemoteFile)) return null;
    assertSafeNames(files.map((file) => file.path));
    return raw as unknown as DownloadPlan;
  } catch {
    return null;
  }
}

export function isRemoteFile(value: unknown): value is RemoteFile {
  if (!isPlainRecord(value)) return false;
  const { path: name, sizeBytes, sha256, gitOid } = value;
  return (
    typeof name === 'string' &&
    Number.isSafeInteger(sizeBytes) &&
    typeof gitOid === 'string' &&
    (sha256 === null || typeof sha256 === 'string')
  );
}

/** Downloads under ROOT that were begun and not ended. */
export async function findPlans(root: string): Promise<readonly DownloadPlan[]> {
  const list = (folder: string) => readdir(folder).catch(() => [] as string[]);
  const plans: DownloadPlan[] = [];
  for (const repoFolder of (await list(root)).filter((name) => name.startsWith('models--'))) {
    const staging = path.join(root, repoFolder, stagingName);
    for (const commit of await list(staging)) {
      const plan = await loadPlan(path.join(staging, commit, 'plan.json'));
      if (plan?.commit === commit) plans.push(plan);
    }
  }
  return plans;
}
