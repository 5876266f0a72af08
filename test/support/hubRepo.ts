/** A folder on disk, described the way the hub describes a repository at a commit. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';

export interface HubFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly gitOid: string;
  /** sha256, for files kept in LFS. */
  readonly lfsOid: string | null;
  readonly source: string;
}

export interface HubCommit {
  readonly sha: string;
  readonly files: readonly HubFile[];
}

const lfsFromBytes = 1024 * 1024;

/** Reads a folder as a commit. Weights and large files are in LFS, as on the hub. */
export async function readCommit(folder: string): Promise<HubCommit> {
  const names = await readdir(folder, { recursive: true });
  const files: HubFile[] = [];
  for (const name of names.sort()) {
    const source = path.join(folder, name);
    const info = await stat(source);
    if (!info.isFile()) continue;
    const inLfs = name.endsWith('.safetensors') || info.size > lfsFromBytes;
    files.push({
      path: name.split(path.sep).join('/'),
      sizeBytes: info.size,
      source,
      lfsOid: inLfs ? await digest('sha256', source) : null,
      // For a file in LFS, git holds a pointer; any other forty digits serve as its name.
      gitOid: inLfs
        ? createHash('sha1').update(`${name}:${info.size}`).digest('hex')
        : await digest('sha1', source, `blob ${info.size}\0`),
    });
  }
  const identity = JSON.stringify(files.map((file) => [file.path, file.sizeBytes, file.lfsOid ?? file.gitOid]));
  return { sha: createHash('sha1').update(identity).digest('hex'), files };
}

async function digest(algorithm: string, file: string, prefix = ''): Promise<string> {
  const hash = createHash(algorithm).update(prefix);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
