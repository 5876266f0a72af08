/** Before a repair: what is good of a damaged file goes to where the download looks, so that only the rest is fetched. */
import { constants } from 'node:fs';
import { copyFile, mkdir, open, stat } from 'node:fs/promises';
import path from 'node:path';

import type { VerifyReport } from '../contract/domain.ts';
import { freeBytesAt } from './diskSpace.ts';
import { partialName, stateName } from './fileDownload.ts';
import type { FileDigest } from './hasher.ts';
import { PartState } from './partState.ts';
import type { ModelRecord, RecordedFile } from './records.ts';

export interface Damage {
  readonly record: ModelRecord;
  readonly report: VerifyReport;
  /** Of the files that could be read. */
  readonly digests: ReadonlyMap<string, FileDigest>;
}

/** Copies rather than moves: the model may be loaded. Without room for a copy nothing is done. Throws DISK errors of the system. */
export async function salvageParts(
  { record, report, digests }: Damage,
  stagedFiles: string,
  reserveBytes: number,
): Promise<void> {
  const bad = new Set(report.files.filter((file) => !file.ok).map((file) => file.path));
  for (const file of record.files.filter(({ path: name }) => bad.has(name))) {
    const state = goodParts(file, digests.get(file.path));
    const target = path.join(stagedFiles, file.path);
    if (!state || (await exists(stateName(target)))) continue;
    await mkdir(path.dirname(target), { recursive: true });
    if ((await freeBytesAt(stagedFiles)) < file.sizeBytes + reserveBytes) continue;
    await copyFile(path.join(record.folder, file.path), partialName(target), constants.COPYFILE_FICLONE);
    const copy = await open(partialName(target), 'r+');
    try {
      await copy.truncate(file.sizeBytes);
      await copy.sync();
    } finally {
      await copy.close();
    }
    await PartState.save(stateName(target), state.snapshot());
  }
}

/** The parts whose CRC-32 is what it was when the file was last right; null when none is, or none is known. */
function goodParts(file: RecordedFile, digest: FileDigest | undefined): PartState | null {
  if (!digest || digest.partBytes !== file.partBytes || digest.crcs.length !== file.crcs.length) return null;
  const state = PartState.fresh(file, file.partBytes);
  for (const part of state.parts) {
    const crc = digest.crcs[part.index];
    if (crc === undefined || crc !== file.crcs[part.index]) continue;
    part.doneBytes = part.sizeBytes;
    part.crc = crc;
  }
  return state.doneBytes > 0 ? state : null;
}

const exists = (file: string) =>
  stat(file).then(
    () => true,
    () => false,
  );
