/** Checks the files of an installed model against what they should be. */
import { stat } from 'node:fs/promises';
import path from 'node:path';

import type { VerifyReport } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { inspectCheckpoint } from './checkpoint.ts';
import { contentName } from './hasher.ts';
import type { FileDigest, Hasher } from './hasher.ts';
import type { ModelRecord, RecordedFile } from './records.ts';

export interface VerifyOptions {
  readonly hasher: Hasher;
  readonly partBytes: number;
  readonly signal: AbortSignal;
  readonly onBytes: (doneBytes: number, totalBytes: number) => void;
}

export interface Verified {
  readonly report: VerifyReport;
  /** What the files digest to now; without those that could not be read. */
  readonly digests: ReadonlyMap<string, FileDigest>;
  /** The record with its references: those it had, else, for a folder of unknown origin, what was found now. */
  readonly files: readonly RecordedFile[];
}

/**
 * Reads every file once. A folder whose origin is unknown is checked for wholeness, and what it holds now is what it
 * will be compared with from then on.
 */
export async function verifyModel(record: ModelRecord, options: VerifyOptions): Promise<Verified> {
  const known = record.files.length > 0;
  const expected = known ? record.files : await unknownFiles(record.folder);
  const totalBytes = expected.reduce((sum, file) => sum + file.sizeBytes, 0);
  const digests = new Map<string, FileDigest>();
  const results: { path: string; ok: boolean; problem: string | null }[] = [];
  const files: RecordedFile[] = [];
  let doneBytes = 0;
  for (const file of expected) {
    const onBytes = (hashed: number) => options.onBytes(doneBytes + hashed, totalBytes);
    const checked = await checkFile(path.join(record.folder, file.path), file, known, { ...options, onBytes });
    doneBytes += file.sizeBytes;
    if (checked.digest) digests.set(file.path, checked.digest);
    results.push({ path: file.path, ok: checked.problem === null, problem: checked.problem });
    files.push(
      known || !checked.digest
        ? file
        : { ...file, sha256: checked.digest.digest, crcs: checked.digest.crcs, partBytes: checked.digest.partBytes },
    );
  }
  options.onBytes(totalBytes, totalBytes);
  return { report: { modelId: record.id, ok: results.every((file) => file.ok), files: results }, digests, files };
}

interface CheckOptions {
  readonly hasher: Hasher;
  readonly partBytes: number;
  readonly signal: AbortSignal;
  readonly onBytes: (hashed: number) => void;
}

async function checkFile(
  file: string,
  expected: RecordedFile,
  known: boolean,
  { hasher, partBytes, signal, onBytes }: CheckOptions,
): Promise<{ readonly digest: FileDigest | null; readonly problem: string | null }> {
  const info = await stat(file).catch(() => null);
  if (!info?.isFile()) return { digest: null, problem: 'is missing' };
  // A longer file is digested as far as it should go, a shorter one not at all: neither can be right.
  if (info.size < expected.sizeBytes) {
    return { digest: null, problem: `has ${info.size} bytes instead of ${expected.sizeBytes}` };
  }
  try {
    const digest = await hasher.digest(file, expected, expected.partBytes || partBytes, { signal, onBytes });
    if (info.size !== expected.sizeBytes) {
      return { digest, problem: `has ${info.size} bytes instead of ${expected.sizeBytes}` };
    }
    const right = !known || digest.digest === contentName(expected);
    return { digest, problem: right ? null : 'is damaged: its checksum is wrong' };
  } catch (error) {
    signal.throwIfAborted();
    return { digest: null, problem: error instanceof AppError ? error.message : 'cannot be read' };
  }
}

/** Files of a folder without references. sha256 is asked of all, so that what is found can be kept. */
async function unknownFiles(folder: string): Promise<readonly RecordedFile[]> {
  const { files } = await inspectCheckpoint(folder);
  return files.map((file) => ({ ...file, sha256: '', gitOid: '', partBytes: 0, crcs: [] }));
}
