/** Writes float32 tensors of known shapes into a safetensors file as their rows arrive, in any order. */
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { AppError } from '../contract/errors.ts';

export interface TensorShape {
  readonly name: string;
  readonly shape: readonly [rows: number, columns: number];
}

/** The file appears under its name when it is whole. */
export class SafetensorsWriter {
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #places: ReadonlyMap<string, { readonly offset: number; readonly columns: number }>;

  private constructor(
    file: string,
    handle: FileHandle,
    places: ReadonlyMap<string, { readonly offset: number; readonly columns: number }>,
  ) {
    this.#file = file;
    this.#handle = handle;
    this.#places = places;
  }

  /** Throws DISK. */
  static async create(
    file: string,
    tensors: readonly TensorShape[],
    metadata: Readonly<Record<string, string>> = {},
  ): Promise<SafetensorsWriter> {
    const entries: [string, object][] = [['__metadata__', metadata]];
    const offsets = new Map<string, { readonly offset: number; readonly columns: number }>();
    let end = 0;
    for (const { name, shape } of tensors) {
      const begin = end;
      end += shape[0] * shape[1] * 4;
      entries.push([name, { dtype: 'F32', shape, data_offsets: [begin, end] }]);
      offsets.set(name, { offset: begin, columns: shape[1] });
    }
    const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
    // Data begins at a multiple of 8.
    const text = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    try {
      const handle = await open(`${file}.part`, 'w');
      await handle.write(Buffer.concat([length, text]), 0, undefined, 0);
      const start = length.length + text.length;
      const places = [...offsets].map(
        ([name, { offset, columns }]) => [name, { offset: start + offset, columns }] as const,
      );
      return new SafetensorsWriter(file, handle, new Map(places));
    } catch (cause) {
      const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
      throw new AppError('DISK', `${file} cannot be written (${reason}). Choose another place with --out.`, { cause });
    }
  }

  /** Rows of a tensor from `firstRow` on. */
  async write(name: string, firstRow: number, rows: Float32Array): Promise<void> {
    const place = this.#places.get(name);
    if (place === undefined) throw new AppError('INTERNAL', `There is no tensor ${name} in this file.`);
    const bytes = Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength);
    let done = 0;
    while (done < bytes.length) {
      const at = place.offset + firstRow * place.columns * 4 + done;
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, at);
      done += bytesWritten;
    }
  }

  async finish(): Promise<void> {
    await this.#handle.close();
    await rename(`${this.#file}.part`, this.#file);
  }

  async discard(): Promise<void> {
    await this.#handle.close();
    await rm(`${this.#file}.part`, { force: true });
  }
}
