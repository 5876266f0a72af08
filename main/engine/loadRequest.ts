/** What to load and where, decided from what was asked for and what this machine has free. */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';

import { contextRange } from '../contract/domain.ts';
import type { DeviceInfo, DeviceReport, LoadRequest, WeightFormat } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { NativeLoadOptions } from './addon.ts';

/** Working buffers, state and a context of usual length. */
const overheadBytes = 1e9;
/** Comfortable: so much of the free memory remains free. */
const spareShare = 0.2;
/** Of the size in bf16: int8 mixers, int4 feed-forward and head, with their scales. */
const mixedShare = 0.36;

const syntheticBytes: readonly (readonly [prefix: string, bytes: number])[] = [
  ['synthetic:nemotron-flash-3b', 5.5e9],
  ['synthetic:nemotron-flash-1b', 1.92e9],
];

/** Bytes of the weights as they lie on the disk, in bf16; 0 when there is nothing to count. */
function storedBytes(source: string): number {
  if (source.startsWith('synthetic:')) {
    return syntheticBytes.find(([prefix]) => source.startsWith(prefix))?.[1] ?? 0;
  }
  try {
    return readdirSync(source)
      .filter((name) => name.endsWith('.safetensors'))
      .reduce((sum, name) => sum + statSync(path.join(source, name)).size, 0);
  } catch {
    return 0; // the engine will say what is wrong with the folder
  }
}

/** A GPU only when it has the memory: a GPU that is too small is worse than none. */
function chooseDevice(request: LoadRequest, report: DeviceReport, bytes: number): DeviceInfo {
  const wanted = request.device ?? 'auto';
  const cpu = report.devices.find(({ kind }) => kind === 'cpu');
  const gpus = report.devices
    .filter(
      ({ kind, index }) => kind === 'cuda' && (request.deviceIndex === undefined || index === request.deviceIndex),
    )
    .sort((a, b) => b.memoryFreeBytes - a.memoryFreeBytes);
  const gpu = gpus[0];
  if (wanted === 'cuda' && gpu === undefined) {
    const reason = report.cudaReason ?? `There is no GPU number ${request.deviceIndex ?? 0}.`;
    throw new AppError('CUDA_UNAVAILABLE', `${reason} Choose the CPU, or another GPU.`);
  }
  const fits = gpu !== undefined && bytes * mixedShare + overheadBytes <= gpu.memoryFreeBytes;
  const chosen = wanted === 'cuda' || (wanted === 'auto' && fits) ? gpu : cpu;
  if (chosen === undefined) throw new AppError('INTERNAL', 'The engine lists no CPU.');
  return chosen;
}

function chooseFormat(request: LoadRequest, device: DeviceInfo, bytes: number): WeightFormat {
  if (request.format !== undefined && request.format !== 'auto') return request.format;
  return bytes + overheadBytes <= (1 - spareShare) * device.memoryFreeBytes ? 'bf16' : 'mixed';
}

/** `source` is a folder or synthetic:NAME already. Throws CUDA_UNAVAILABLE when a GPU was asked for and there is none. */
export function nativeLoadOptions(
  request: LoadRequest,
  source: string,
  report: DeviceReport,
  cacheDir: string,
): NativeLoadOptions {
  const bytes = storedBytes(source);
  const device = chooseDevice(request, report, bytes);
  return {
    source,
    device: device.kind,
    deviceIndex: device.kind === 'cuda' ? device.index : -1,
    threads: request.threads ?? 0,
    format: chooseFormat(request, device, bytes),
    contextPositions: request.contextPositions ?? contextRange.default,
    cacheDir,
  };
}
