/** Moves a model to another folder or disk: copied, verified, named in one rename, and only then removed where it was. */
import { lstat, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';

import { syncFolder } from '../atomicFile.ts';
import { AppError } from '../contract/errors.ts';
import { makeFolderSync } from '../makeFolder.ts';
import { diskFullError, errorFromDisk, freeBytesAt } from './diskSpace.ts';
import { contentName } from './hasher.ts';
import type { Hasher } from './hasher.ts';
import { snapshotPlaces } from './layout.ts';
import type { ModelRecord, RecordedFile } from './records.ts';

export interface MoveOptions {
  readonly hasher: Hasher;
  readonly reserveBytes: number;
  readonly signal: AbortSignal;
  /** Bytes written and bytes verified both count: the total is twice the size. */
  readonly onBytes: (doneBytes: number, totalBytes: number) => void;
}

const bufferBytes = 4 * 1024 * 1024;

/** Where a model would lie under a root. */
export function folderUnder(root: string, record: ModelRecord): string {
  return record.repo !== null && record.revision !== null
    ? snapshotPlaces(root, record.repo, record.revision).snapshot
    : path.join(root, path.basename(record.folder));
}

/** Copies the files to their place under `root` and checks them; the old ones stay. Returns the new folder. */
export async function copyModel(
  record: ModelRecord,
  files: readonly RecordedFile[],
  root: string,
  options: MoveOptions,
): Promise<string> {
  const target = folderUnder(root, record);
  if (await stat(target).catch(() => null)) {
    throw new AppError('DISK', `${target} exists already. Remove it, or choose another folder.`);
  }
  const staged = `${target}.moving`;
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const free = await freeBytesAt(root);
  if (free < sizeBytes + options.reserveBytes) throw diskFullError(root, sizeBytes + options.reserveBytes, free);
  let doneBytes = 0;
  const onBytes = (bytes: number) => options.onBytes((doneBytes += bytes), 2 * sizeBytes);
  try {
    await rm(staged, { recursive: true, force: true });
    await mkdir(staged, { recursive: true });
    for (const file of files) {
      const copy = path.join(staged, file.path);
      await copyFile(path.join(record.folder, file.path), copy, options.signal, onBytes);
      await checkCopy(copy, file, options);
      onBytes(file.sizeBytes);
    }
    await syncFolder(staged);
    await rename(staged, target);
    await syncFolder(path.dirname(target));
    return target;
  } catch (error) {
    await rm(staged, { recursive: true, force: true });
    throw errorFromDisk(error, root);
  }
}

/** Removes the files of a model from its old folder, and the folder when nothing else is in it. */
export async function removeFiles(folder: string, files: readonly { readonly path: string }[]): Promise<void> {
  for (const file of files) await rm(path.join(folder, file.path), { force: true });
  if ((await readdir(folder).catch(() => ['?'])).length === 0) await rmdir(folder);
}

/** Whether a rename would do: the same disk, and real files rather than links into another tool's store. */
export async function canRename(record: ModelRecord, root: string): Promise<boolean> {
  try {
    makeFolderSync(root);
  } catch (error) {
    throw errorFromDisk(error, root);
  }
  const [from, to] = await Promise.all([stat(record.folder), stat(root)]);
  if (from.dev !== to.dev) return false;
  const entries = await Promise.all(
    (await readdir(record.folder)).map((name) => lstat(path.join(record.folder, name))),
  );
  return !entries.some((entry) => entry.isSymbolicLink());
}

async function copyFile(
  from: string,
  to: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const source = await open(from, 'r');
  try {
    const copy = await open(to, 'wx');
    try {
      const buffer = Buffer.allocUnsafe(bufferBytes);
      for (;;) {
        signal.throwIfAborted();
        const { bytesRead } = await source.read(buffer, 0, buffer.length, null);
        if (bytesRead === 0) break;
        await copy.writeFile(buffer.subarray(0, bytesRead));
        onBytes(bytesRead);
      }
      await copy.sync();
    } finally {
      await copy.close();
    }
  } finally {
    await source.close();
  }
}

async function checkCopy(copy: string, file: RecordedFile, { hasher, signal }: MoveOptions): Promise<void> {
  const { digest } = await hasher.digest(copy, file, file.partBytes, { signal });
  if (digest !== contentName(file)) {
    throw new AppError(
      'CHECKSUM',
      `${file.path} is damaged, here or on its way. Verify the model; it stays where it is.`,
    );
  }
}
