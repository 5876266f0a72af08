/** One large file over any number of runs: what was fetched is kept, and its digest is checked before it is handed on. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { AppError } from '../contract/errors.ts';

export interface ResumableFile {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Base64. */
  readonly sha512: string;
  /** Where the file goes once it is whole and right. */
  readonly destination: string;
  /** Holds what is not whole yet, of one file at a time: what is left of others is deleted. */
  readonly folder: string;
  readonly onBytes: (doneBytes: number, totalBytes: number) => void;
}

export type FetchFile = (url: string, headers: Readonly<Record<string, string>>) => Promise<Response>;

const maxFailures = 5;
const firstDelayMs = 1000;

/**
 * Goes on where the last run was broken off. Throws what the connection met once it has failed five times without a
 * byte between, and CHECKSUM when the whole file is another than was announced.
 */
export async function downloadResumably(file: ResumableFile, fetchFile: FetchFile, delayMs = firstDelayMs) {
  const partial = await placeOf(file);
  for (let failures = 0; ;) {
    const before = await sizeOf(partial);
    try {
      await fetchRest(file, partial, before, fetchFile);
      break;
    } catch (error) {
      failures = (await sizeOf(partial)) > before ? 1 : failures + 1;
      if (failures >= maxFailures) throw error;
      await sleep(delayMs * 2 ** (failures - 1));
    }
  }
  if ((await digestOf(partial)) !== file.sha512) {
    await rm(partial);
    throw new AppError('CHECKSUM', 'The new version arrived damaged. It is fetched again at the next look.');
  }
  await rename(partial, file.destination).catch(async () => {
    await copyFile(partial, file.destination); // onto another disk
    await rm(partial);
  });
}

/** Named by what it is to become, so that the remains of another version are never gone on with. */
async function placeOf({ folder, sha512 }: ResumableFile): Promise<string> {
  const name = `${Buffer.from(sha512, 'base64').toString('hex').slice(0, 32)}.partial`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const other of await readdir(folder)) if (other !== name) await rm(path.join(folder, other), { force: true });
  return path.join(folder, name);
}

async function fetchRest(file: ResumableFile, partial: string, from: number, fetchFile: FetchFile): Promise<void> {
  const range: Record<string, string> = from === 0 ? {} : { range: `bytes=${from}-` };
  const reply = await fetchFile(file.url, { ...file.headers, ...range });
  // The range begins behind the end: all of it is there.
  if (reply.status === 416 && from > 0) return;
  if (!reply.ok || reply.body === null) {
    await reply.body?.cancel();
    throw new AppError('NETWORK', `${new URL(file.url).host} answered ${reply.status} for the new version.`, {
      retryable: true,
    });
  }
  const continues = reply.status === 206 && reply.headers.get('content-range')?.startsWith(`bytes ${from}-`) === true;
  const start = continues ? from : 0;
  const totalBytes = start + Number(reply.headers.get('content-length') ?? 0);
  const handle = await open(partial, continues ? 'a' : 'w', 0o600);
  try {
    let doneBytes = start;
    for await (const chunk of reply.body) {
      await handle.writeFile(chunk);
      doneBytes += chunk.byteLength;
      file.onBytes(doneBytes, Math.max(doneBytes, totalBytes));
    }
    await handle.sync();
    if (doneBytes < totalBytes) throw new AppError('NETWORK', 'The connection ended early.', { retryable: true });
  } finally {
    await handle.close();
  }
}

const sizeOf = async (file: string): Promise<number> => (await stat(file).catch(() => null))?.size ?? 0;

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha512');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('base64');
}
