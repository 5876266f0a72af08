/** Looks at a folder and says whether it is a whole Nemotron-Flash checkpoint, without reading its weights. */
import { open, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

import { AppError } from '../contract/errors.ts';
import { readModelConfig } from './modelConfig.ts';
import type { ModelConfig } from './modelConfig.ts';
import { isPlainRecord } from './records.ts';
import { isNeeded } from './repoFiles.ts';

export interface Checkpoint {
  readonly config: ModelConfig;
  /** Files the app uses, relative to the folder. */
  readonly files: readonly { readonly path: string; readonly sizeBytes: number }[];
}

const maxHeaderBytes = 100_000_000;
const indexName = 'model.safetensors.index.json';

/** Throws NOT_FOUND, BAD_MODEL or UNSUPPORTED, naming the file and what to do. */
export async function inspectCheckpoint(folder: string): Promise<Checkpoint> {
  const info = await stat(folder).catch(() => null);
  if (!info?.isDirectory())
    throw new AppError('NOT_FOUND', `${folder} is not a folder. Give the folder that holds config.json.`);
  const config = readModelConfig(await readJson(folder, 'config.json'), path.join(folder, 'config.json'));
  const names = (await readdir(folder)).filter(isNeeded).sort();
  const weights = await weightFiles(folder, names);
  const files = [...new Set([...names.filter((name) => !/^model[\w.-]*\.safetensors$/.test(name)), ...weights])];
  const sized = await Promise.all(
    files.map(async (name) => ({ path: name, sizeBytes: (await stat(path.join(folder, name))).size })),
  );
  return { config, files: sized };
}

/** Every weight file that is used, its header checked against its length. */
async function weightFiles(folder: string, names: readonly string[]): Promise<readonly string[]> {
  if (!names.includes(indexName)) {
    if (!names.includes('model.safetensors')) {
      throw new AppError(
        'BAD_MODEL',
        `${folder} has neither model.safetensors nor ${indexName}. Choose the folder of a whole checkpoint.`,
      );
    }
    await readTensorNames(path.join(folder, 'model.safetensors'));
    return ['model.safetensors'];
  }
  const index = await readJson(folder, indexName);
  const map = isPlainRecord(index) ? index['weight_map'] : null;
  if (!isPlainRecord(map)) throw new AppError('BAD_MODEL', `${path.join(folder, indexName)} has no weight_map.`);
  const shards = [...new Set(Object.values(map).map(String))].sort();
  for (const shard of shards) {
    if (path.basename(shard) !== shard) {
      throw new AppError(
        'UNSAFE_NAME',
        `${path.join(folder, indexName)} points outside its folder, to ${JSON.stringify(shard)}.`,
      );
    }
    const tensors = await readTensorNames(path.join(folder, shard));
    const missing = Object.keys(map).find((name) => map[name] === shard && !tensors.has(name));
    if (missing !== undefined) {
      throw new AppError(
        'BAD_MODEL',
        `${path.join(folder, shard)} lacks the tensor ${missing} that the index promises. Download it again.`,
      );
    }
  }
  return shards;
}

/** Names in a safetensors header: 8 bytes length, JSON, data. Throws BAD_MODEL when the file is not as long as it says. */
async function readTensorNames(file: string): Promise<ReadonlySet<string>> {
  const bad = (why: string) => new AppError('BAD_MODEL', `${file} ${why}. Download it again.`);
  const handle = await open(file).catch(() => {
    throw new AppError('BAD_MODEL', `${file} is missing or cannot be read. Download it again.`);
  });
  try {
    const { size } = await handle.stat();
    const prefix = Buffer.alloc(8);
    if ((await handle.read(prefix, 0, 8, 0)).bytesRead < 8) throw bad('is too short to hold weights');
    const headerBytes = Number(prefix.readBigUInt64LE());
    if (headerBytes > maxHeaderBytes || headerBytes + 8 > size) throw bad('is not a safetensors file, or is cut short');
    const header = Buffer.alloc(headerBytes);
    await handle.read(header, 0, headerBytes, 8);
    let tensors: unknown;
    try {
      tensors = JSON.parse(header.toString('utf8'));
    } catch {
      throw bad('has a header that cannot be read');
    }
    if (!isPlainRecord(tensors)) throw bad('has a header that cannot be read');
    const entries = Object.entries(tensors).filter(([name]) => name !== '__metadata__');
    const end = Math.max(0, ...entries.map(([, tensor]) => dataEnd(tensor)));
    if (!Number.isFinite(end)) throw bad('has a header that cannot be read');
    if (size !== 8 + headerBytes + end) throw bad(`has ${size} bytes instead of ${8 + headerBytes + end}`);
    return new Set(entries.map(([name]) => name));
  } finally {
    await handle.close();
  }
}

function dataEnd(tensor: unknown): number {
  const offsets = isPlainRecord(tensor) ? tensor['data_offsets'] : null;
  return Array.isArray(offsets) && typeof offsets[1] === 'number' ? offsets[1] : Number.NaN;
}

async function readJson(folder: string, name: string): Promise<unknown> {
  const file = path.join(folder, name);
  const text = await readFile(file, 'utf8').catch(() => {
    throw new AppError(
      'BAD_MODEL',
      `${folder} has no ${name} that can be read. Choose the folder of a whole checkpoint.`,
    );
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('BAD_MODEL', `${file} is not JSON. Download it again.`, { cause });
  }
}
