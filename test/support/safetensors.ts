/** Reads safetensors files whole: for golden values and for what `nemoflash logits` writes. */
import { readFileSync } from 'node:fs';

export interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

function valuesOf(dtype: string, bytes: Uint8Array<ArrayBuffer>): Float64Array {
  switch (dtype) {
    case 'F32':
      return Float64Array.from(new Float32Array(bytes.buffer));
    case 'I64':
      return Float64Array.from(new BigInt64Array(bytes.buffer), Number);
    default:
      throw new Error(`no reader for ${dtype}`);
  }
}

export function readSafetensors(file: string): ReadonlyMap<string, Tensor> {
  const data = readFileSync(file);
  const headerEnd = 8 + Number(data.readBigUInt64LE(0));
  const header = JSON.parse(data.subarray(8, headerEnd).toString()) as Record<string, Entry>;
  const tensors = new Map<string, Tensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [begin, end] = entry.data_offsets;
    // A copy, so that typed arrays of any width may look at it.
    const bytes = Uint8Array.from(data.subarray(headerEnd + begin, headerEnd + end));
    tensors.set(name, { shape: entry.shape, values: valuesOf(entry.dtype, bytes) });
  }
  return tensors;
}

export function tensorOf(tensors: ReadonlyMap<string, Tensor>, name: string): Tensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new Error(`there is no tensor ${name}`);
  return tensor;
}

export function maxAbsDifference(a: Float64Array, b: Float64Array): number {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`);
  return a.reduce((worst, value, index) => Math.max(worst, Math.abs(value - (b[index] ?? NaN))), 0);
}

/** Root mean square of the difference over that of `golden`. */
export function relativeRms(golden: Float64Array, got: Float64Array): number {
  if (golden.length !== got.length) throw new Error(`${golden.length} values against ${got.length}`);
  let difference = 0;
  let size = 0;
  golden.forEach((value, index) => {
    difference += (value - (got[index] ?? NaN)) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(difference / size);
}
