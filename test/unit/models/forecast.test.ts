import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';

import { expect, test } from 'vitest';

import { forecast, recommendFormat, weightBytes } from '../../../main/models/forecast.ts';
import type { ForecastDevice } from '../../../main/models/forecast.ts';
import { readModelConfig } from '../../../main/models/modelConfig.ts';

const golden = path.resolve(import.meta.dirname, '../../golden');
const configOf = (name: string) =>
  readModelConfig(JSON.parse(readFileSync(path.join(golden, name, 'config.json'), 'utf8')), name);
const filesOf = (name: string, files: readonly string[]) =>
  files.reduce((sum, file) => sum + statSync(path.join(golden, name, file)).size, 0);

test.each([
  ['tiny', ['model.safetensors']],
  ['real-heads', ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']],
] as const)('the weights of %s in bf16 take what their files take', (name, files) => {
  const share = weightBytes(configOf(name), 'bf16').stored / filesOf(name, files);
  expect(share).toBeGreaterThan(0.9);
  expect(share).toBeLessThan(1.05);
});

const gpu = (memoryFreeBytes: number): ForecastDevice => ({ kind: 'cuda', memoryFreeBytes, bytesPerSecond: 5e11 });
const cpu: ForecastDevice = { kind: 'cpu', memoryFreeBytes: 64e9, bytesPerSecond: null };

test('smaller formats need less and are not slower; the longer the context, the more memory', () => {
  const entries = forecast(configOf('real-heads'), [gpu(24e9)], 4096);
  const of = (format: string) => entries.find((entry) => entry.format === format);
  expect(of('int4')?.memoryBytes).toBeLessThan(of('bf16')?.memoryBytes ?? 0);
  const longer = forecast(configOf('real-heads'), [gpu(24e9)], 131_072);
  expect(longer[0]?.memoryBytes).toBeGreaterThan(entries[0]?.memoryBytes ?? Infinity);
});

test('recommended is the most faithful that fits on the GPU, then on the CPU; an unknown speed stays unknown', () => {
  const config = configOf('tiny');
  const bf16 = forecast(config, [gpu(1e12)], 4096).find(({ format }) => format === 'bf16')?.memoryBytes ?? 0;
  expect(recommendFormat(forecast(config, [gpu(bf16), cpu], 4096))).toBe('bf16');
  expect(recommendFormat(forecast(config, [gpu(bf16 - 1), cpu], 4096))).toBe('int8');
  const noGpu = forecast(config, [gpu(0), cpu], 4096);
  expect(recommendFormat(noGpu)).toBe('int8');
  expect(noGpu.filter(({ device }) => device === 'cpu').map(({ tokensPerSecond }) => tokensPerSecond)).toEqual(
    Array(5).fill(null),
  );
});
