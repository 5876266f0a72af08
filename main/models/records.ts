/** What is known of each installed model: one small file per model, so that a damaged one takes no other with it. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';

import { writeFileAtomic } from '../atomicFile.ts';
import type { InstalledModel } from '../contract/domain.ts';
import type { RemoteFile } from './hub.ts';

/** A file as it should be, with the CRC-32 of its parts when it was last seen right. */
export interface RecordedFile extends RemoteFile {
  readonly partBytes: number;
  readonly crcs: readonly number[];
}

export interface ModelRecord extends InstalledModel {
  readonly version: 1;
  /** Where it came from, for repair. null: a folder whose origin is unknown. */
  readonly files: readonly RecordedFile[];
}

export function isPlainRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What of a record the others are told. */
export function toInstalled(record: ModelRecord): InstalledModel {
  const { version: _version, files: _files, ...installed } = record;
  return installed;
}

export class Records {
  readonly #folder: string;
  readonly #damagedFolder: string;
  #records: Map<string, ModelRecord> | null = null;

  /** `folder` holds one JSON file per model; what cannot be read is moved to `damagedFolder`. */
  constructor(folder: string, damagedFolder: string) {
    this.#folder = folder;
    this.#damagedFolder = damagedFolder;
  }

  async list(): Promise<readonly ModelRecord[]> {
    return [...(await this.#load()).values()].sort((a, b) => a.installedAt - b.installedAt);
  }

  async get(id: string): Promise<ModelRecord | null> {
    return (await this.#load()).get(id) ?? null;
  }

  async put(record: ModelRecord): Promise<void> {
    const records = await this.#load();
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFileAtomic(this.#file(record.id), `${JSON.stringify(record)}\n`);
    records.set(record.id, record);
  }

  async remove(id: string): Promise<void> {
    const records = await this.#load();
    await rm(this.#file(id), { force: true });
    records.delete(id);
  }

  /** Reads the files again: another process may have changed them. */
  refresh(): void {
    this.#records = null;
  }

  #file(id: string): string {
    const readable = id.replaceAll(/[^\w.-]+/g, '-').slice(0, 80);
    return path.join(this.#folder, `${readable}-${createHash('sha1').update(id).digest('hex').slice(0, 8)}.json`);
  }

  async #load(): Promise<Map<string, ModelRecord>> {
    if (this.#records) return this.#records;
    const records = new Map<string, ModelRecord>();
    const names = await readdir(this.#folder).catch(() => [] as string[]);
    for (const name of names.filter((entry) => entry.endsWith('.json'))) {
      const file = path.join(this.#folder, name);
      const record = parseRecord(await readFile(file, 'utf8').catch(() => ''));
      if (record) records.set(record.id, record);
      else await this.#setAside(file);
    }
    this.#records = records;
    return records;
  }

  async #setAside(file: string): Promise<void> {
    const aside = path.join(this.#damagedFolder, `${Date.now()}-${path.basename(file)}`);
    await mkdir(this.#damagedFolder, { recursive: true, mode: 0o700 })
      .then(() => rename(file, aside))
      .catch(() => undefined);
  }
}

function parseRecord(text: string): ModelRecord | null {
  try {
    const raw: unknown = JSON.parse(text);
    if (!isPlainRecord(raw) || raw['version'] !== 1 || !Array.isArray(raw['files'])) return null;
    const { id, name, folder, origin, installedAt, sizeBytes } = raw;
    if (![id, name, folder].every((value) => typeof value === 'string' && value !== '')) return null;
    if (origin !== 'downloaded' && origin !== 'imported') return null;
    if (typeof installedAt !== 'number' || typeof sizeBytes !== 'number') return null;
    return raw as unknown as ModelRecord;
  } catch {
    return null;
  }
}
