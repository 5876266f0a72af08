import { describe, expect, it } from 'vitest';

import type { DeviceInfo, DeviceReport } from '../../../main/contract/domain.ts';
import { planLoad, weightBytesOf } from '../../../main/engine/loadPlan.ts';

const gigabyte = 1e9;
const device = (kind: 'cpu' | 'cuda', freeGb: number, index = 0): DeviceInfo => ({
  kind,
  index,
  name: kind,
  memoryTotalBytes: 64 * gigabyte,
  memoryFreeBytes: freeGb * gigabyte,
  computeCapability: null,
  threads: null,
  features: '',
  nominalBytesPerSecond: null,
});
const report = (...devices: DeviceInfo[]): DeviceReport => ({
  devices,
  cudaReason: devices.some(({ kind }) => kind === 'cuda') ? null : 'no driver',
});
const source = 'synthetic:nemotron-flash-3b';
const plan = (request: object, ...devices: DeviceInfo[]) =>
  planLoad({ source, ...request }, report(...devices), 5.5 * gigabyte);

describe('load plan', () => {
  it('auto takes the GPU only when the weights fit there', () => {
    expect(plan({}, device('cpu', 30), device('cuda', 16))).toMatchObject({ device: 'cuda', format: 'bf16' });
    expect(plan({}, device('cpu', 30), device('cuda', 1))).toMatchObject({ device: 'cpu', format: 'int8' });
  });

  it('auto takes the GPU with the most free memory, an index the one named', () => {
    const devices = [device('cpu', 30), device('cuda', 8, 0), device('cuda', 16, 1)];
    expect(plan({}, ...devices)).toMatchObject({ device: 'cuda', deviceIndex: 1 });
    expect(plan({ deviceIndex: 0 }, ...devices)).toMatchObject({ device: 'cuda', deviceIndex: 0 });
  });

  it('auto takes the preferred format that fits comfortably', () => {
    const onCpu = [30, 5, 4, 3, 1].map((freeGb) => plan({}, device('cpu', freeGb)).format);
    expect(onCpu).toEqual(['int8', 'int8', 'mixed', 'int4', 'int4']);
    const onGpu = [30, 6, 4, 3].map((freeGb) => plan({}, device('cpu', 1), device('cuda', freeGb)).format);
    expect(onGpu).toEqual(['bf16', 'int8', 'mixed', 'int4']);
  });

  it('what is asked for by name is not second-guessed', () => {
    expect(plan({ device: 'cpu', format: 'f32' }, device('cpu', 1), device('cuda', 80))).toMatchObject({
      device: 'cpu',
      format: 'f32',
    });
    expect(plan({ device: 'cuda' }, device('cpu', 30), device('cuda', 1))).toMatchObject({ device: 'cuda' });
  });

  it('a GPU that is not there is an error with the reason, never the CPU', () => {
    expect(() => plan({ device: 'cuda' }, device('cpu', 30))).toThrowError(
      expect.objectContaining({ code: 'CUDA_UNAVAILABLE', message: expect.stringContaining('no driver') }),
    );
    expect(() => plan({ device: 'cuda', deviceIndex: 3 }, device('cpu', 30), device('cuda', 80))).toThrowError(
      expect.objectContaining({ code: 'CUDA_UNAVAILABLE' }),
    );
  });

  it('a folder that is not there is an error that names it', () => {
    expect(() => weightBytesOf('/nowhere/at/all')).toThrowError(
      expect.objectContaining({ code: 'NOT_FOUND', message: expect.stringContaining('/nowhere/at/all') }),
    );
  });
});
