/** What to load and where: turns `auto` into a device and a format, from the memory that is free. */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';

import { automaticFormats, contextRange } from '../contract/domain.ts';
import type { DeviceInfo, DeviceKind, DeviceReport, LoadRequest, WeightFormat } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';

export interface LoadPlan {
  readonly device: DeviceKind;
  /** -1: the GPU with the most free memory. */
  readonly deviceIndex: number;
  readonly format: WeightFormat;
  readonly contextPositions: number;
  readonly threads: number;
  readonly useGraph?: boolean | undefined;
}

/** Resident bytes per byte of bf16 weights, scales and what stays unquantised included. */
const sizeShare: Readonly<Record<WeightFormat, number>> = { f32: 2, bf16: 1, int8: 0.56, mixed: 0.42, int4: 0.33 };

/** Part of the free memory that weights may take; the rest is for state, context, scratch and other programs. */
const comfortableShare = 0.7;

/** Sizes of the published shapes, for made-up weights. */
const syntheticBytes: Readonly<Record<string, number>> = {
  'nemotron-flash-3b': 5_500_000_000,
  'nemotron-flash-1b': 1_920_000_000,
  tiny: 1_000_000,
};

/** Bytes of the weights as they lie on disk. Throws NOT_FOUND for a folder that is not there. */
export function weightBytesOf(source: string): number {
  const synthetic = /^synthetic:([^:]*)/.exec(source)?.[1];
  if (synthetic !== undefined) return syntheticBytes[synthetic] ?? 0;
  try {
    return readdirSync(source)
      .filter((name) => name.endsWith('.safetensors'))
      .reduce((sum, name) => sum + statSync(path.join(source, name)).size, 0);
  } catch (cause) {
    throw new AppError(
      'NOT_FOUND',
      `There is no model folder ${source}. Name a folder with config.json and *.safetensors, an installed model, or ` +
        'synthetic:nemotron-flash-3b.',
      { cause },
    );
  }
}

function fits(format: WeightFormat, bf16Bytes: number, device: DeviceInfo): boolean {
  return bf16Bytes * sizeShare[format] <= device.memoryFreeBytes * comfortableShare;
}

function bestGpu(report: DeviceReport, index: number | undefined): DeviceInfo | undefined {
  const gpus = report.devices.filter((device) => device.kind === 'cuda');
  if (index !== undefined) return gpus.find((device) => device.index === index);
  return gpus.toSorted((a, b) => b.memoryFreeBytes - a.memoryFreeBytes)[0];
}

/** `auto` takes the GPU only when the weights fit there, and the preferred format that fits comfortably. */
export function planLoad(request: LoadRequest, report: DeviceReport, bf16Bytes: number): LoadPlan {
  const wanted = request.format ?? 'auto';
  const candidates = (on: DeviceKind): readonly WeightFormat[] => (wanted === 'auto' ? automaticFormats[on] : [wanted]);
  const fitting = (device: DeviceInfo) => candidates(device.kind).find((format) => fits(format, bf16Bytes, device));

  const gpu = bestGpu(report, request.deviceIndex);
  const kind = request.device ?? 'auto';
  const useGpu = kind === 'cuda' || (kind === 'auto' && gpu !== undefined && fitting(gpu) !== undefined);
  if (useGpu && gpu === undefined) {
    const which = request.deviceIndex === undefined ? 'No GPU' : `GPU ${request.deviceIndex}`;
    const reason = report.cudaReason ?? 'it is not among the devices';
    throw new AppError('CUDA_UNAVAILABLE', `${which} can be used: ${reason}. Choose another device, or auto.`);
  }
  const device = useGpu ? gpu : report.devices.find((candidate) => candidate.kind === 'cpu');
  return {
    device: useGpu ? 'cuda' : 'cpu',
    deviceIndex: useGpu ? (device?.index ?? -1) : -1,
    // Where nothing fits comfortably the smallest is tried: the engine knows best whether it fits at all.
    format: (device && fitting(device)) ?? candidates(useGpu ? 'cuda' : 'cpu').at(-1) ?? 'int4',
    contextPositions: request.contextPositions ?? contextRange.default,
    threads: request.threads ?? 0,
    useGraph: request.useGraph,
  };
}
