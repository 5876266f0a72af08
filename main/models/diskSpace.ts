/** Free space, before and during a download. */
import { statfs } from 'node:fs/promises';
import path from 'node:path';

import { AppError } from '../contract/errors.ts';

/** Bytes free for this user where `folder` is, or will be once it is made. Throws DISK. */
export async function freeBytesAt(folder: string): Promise<number> {
  for (let current = path.resolve(folder); ; current = path.dirname(current)) {
    try {
      const { bavail, bsize } = await statfs(current);
      return bavail * bsize;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT' && path.dirname(current) !== current) continue;
      throw errorFromDisk(cause, folder);
    }
  }
}

export function formatBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${Math.ceil(bytes / 1000)} kB`;
}

export function diskFullError(folder: string, neededBytes: number, freeBytes: number): AppError {
  return new AppError(
    'DISK_FULL',
    `${shownPath(folder)} has ${formatBytes(freeBytes)} free, and ${formatBytes(neededBytes)} are needed. Make room, then resume: nothing fetched so far is lost.`,
    { retryable: true },
  );
}

/** Turns an error of the file system into the product's. Others pass through. */
export function errorFromDisk(error: unknown, folder: string): unknown {
  if (error instanceof AppError || !(error instanceof Error) || !('syscall' in error) || !('code' in error))
    return error;
  const code = String(error.code);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new AppError(
      'DISK_FULL',
      `The disk of ${shownPath(folder)} is full. Make room, then resume: nothing fetched so far is lost.`,
      { retryable: true, cause: error },
    );
  }
  const trouble = troubles[code] ?? 'gave an error';
  return new AppError('DISK', `${shownPath(folder)} ${trouble} (${code}). Check the folder, or choose another.`, {
    cause: error,
  });
}

const troubles: Readonly<Record<string, string>> = {
  EACCES: 'may not be written',
  EPERM: 'may not be written',
  EROFS: 'may not be written',
  ENOENT: 'is not there and cannot be made',
  ENOTDIR: 'is a file, or below one, and no folder',
  EEXIST: 'is a file, or below one, and no folder',
  ENAMETOOLONG: 'is too long a path for this disk',
};

/** A path as part of a sentence: one line, and not a page of it. */
function shownPath(folder: string): string {
  const line = folder.replace(/\p{Cc}/gu, '?');
  return line.length <= 160 ? line : `${line.slice(0, 100)}…${line.slice(-50)}`;
}
