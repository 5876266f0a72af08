import { expect, it, vi } from 'vitest';

import type { LoadedModel } from '../../../main/contract/domain.ts';
import { MeasuredLimits } from '../../../main/engine/measuredLimits.ts';

const model = { deviceName: 'A', deviceIndex: 0, threads: 2, format: 'int8', source: 'm' } as LoadedModel;
const limits = { bytesPerSecond: 1e10, flopsPerSecond: 1e12 };

it('a device is measured once for a way of loading a model, and not while it works', async () => {
  const memory = new MeasuredLimits();
  const measure = vi.fn(async () => limits);
  expect(await memory.of(model, null)).toBeNull();
  expect(await memory.of(model, measure)).toEqual(limits);
  expect(await memory.of({ ...model }, measure)).toEqual(limits);
  expect(await memory.of(model, null)).toEqual(limits);
  expect(measure).toHaveBeenCalledTimes(1);
  expect(await memory.of({ ...model, format: 'int4' }, measure)).toEqual(limits);
  expect(measure).toHaveBeenCalledTimes(2);
});

it('a measurement that the model’s end cut short is made again', async () => {
  const memory = new MeasuredLimits();
  expect(await memory.of(model, async () => null)).toBeNull();
  expect(await memory.of(model, async () => limits)).toEqual(limits);
});
