import { describe, expect, test } from 'vitest';

import { defaultSampling } from '../../../main/contract/domain.ts';
import {
  bytesText,
  count,
  durationPair,
  durationText,
  parameters,
  rateText,
  remaining,
} from '../../../renderer/format.ts';
import { frameQueue } from '../../../renderer/state/frameQueue.ts';
import type { Clock } from '../../../renderer/state/frameQueue.ts';
import { exactPercentiles, Histogram } from '../../../renderer/state/histogram.ts';
import { differences, presetOf, presets, toRange } from '../../../renderer/state/sampling.ts';

const plainSpaces = (text: string): string => text.replace(/[\u00a0\u202f]/g, ' ');

describe('numbers for people', () => {
  test.each([
    [count(4901), '4 901'],
    [count(1_234_567), '1 234 567'],
    [durationText(3_100_000), '3.10 ms'],
    [durationText(42_000_000), '42.0 ms'],
    [durationText(850), '850 ns'],
    [durationPair(3_100_000, 3_600_000), '3.10 / 3.60 ms'],
    [durationPair(900_000, 1_200_000), '900 µs / 1.20 ms'],
    [rateText(312.4), '312 tok/s'],
    [rateText(7.25), '7.3 tok/s'],
    [rateText(61_000), '61k tok/s'],
    [bytesText(5_520_000_000), '5.5 GB'],
    [bytesText(999_600), '1.0 MB'],
    [parameters(2_749_998_624), '2.75B'],
    [remaining(59), '59 s'],
    [remaining(7500), '2 h 5 min'],
  ])('%s', (text, expected) => {
    expect(plainSpaces(text)).toBe(expected);
  });
});

describe('the histogram', () => {
  test('gives percentiles within 0.1 % of the exact ones', () => {
    const histogram = new Histogram();
    const values: number[] = [];
    let noise = 1;
    for (let i = 0; i < 20_000; i += 1) {
      noise = (noise * 16807) % 2147483647;
      const value = 2e6 + (noise % 5_000_000) + (i % 500 === 0 ? 3e7 : 0);
      values.push(value);
      histogram.record(value);
    }
    const exact = exactPercentiles(Float64Array.from(values))!;
    const found = histogram.percentiles()!;
    for (const name of ['p50', 'p95', 'p99'] as const) {
      expect(Math.abs(found[name] / exact[name] - 1)).toBeLessThanOrEqual(0.001);
    }
    expect(found.max).toBe(exact.max);
  });

  test('says nothing about nothing', () => {
    expect(new Histogram().percentiles()).toBeNull();
    expect(exactPercentiles(new Float64Array(0))).toBeNull();
  });

  test('never reports more than it has seen', () => {
    const histogram = new Histogram();
    histogram.record(1000);
    expect(histogram.percentiles()!.p99).toBeLessThanOrEqual(1000);
  });
});

describe('sampling options', () => {
  test('knows what differs from the default', () => {
    expect(differences(defaultSampling)).toEqual([]);
    expect(differences({ ...defaultSampling, temperature: 0.5, stop: ['x'], seed: 0 })).toEqual([
      'temperature',
      'seed',
      'stop',
    ]);
  });

  test('brings values into range', () => {
    expect(toRange('topK', 12.6)).toBe(13);
    expect(toRange('temperature', 9)).toBe(2);
    expect(toRange('topP', Number.NaN)).toBe(defaultSampling.topP);
  });

  test('recognises presets, and what is none', () => {
    expect(presetOf(defaultSampling)).toBe('default');
    expect(presetOf({ ...defaultSampling, ...presets.exact })).toBe('exact');
    expect(presetOf({ ...defaultSampling, topK: 3 })).toBeNull();
  });
});

describe('the frame queue', () => {
  function fakeClock() {
    const frames: (() => void)[] = [];
    const timers: (() => void)[] = [];
    const clock: Clock = {
      requestFrame: (callback) => frames.push(callback),
      cancelFrame: (handle) => void (frames[handle - 1] = () => undefined),
      setTimer: (callback) => timers.push(callback),
      clearTimer: (handle) => void (timers[handle - 1] = () => undefined),
    };
    return { clock, frames, timers };
  }

  test('hands over once per animation frame', () => {
    const { clock, frames } = fakeClock();
    const batches: (readonly number[])[] = [];
    const queue = frameQueue<number>((items) => batches.push(items), clock);
    queue.push(1);
    queue.push(2);
    expect(batches).toEqual([]);
    frames[0]?.();
    queue.push(3);
    frames[1]?.();
    expect(batches).toEqual([[1, 2], [3]]);
  });

  test('leaves frames to the page when it is told to', () => {
    const { clock, frames } = fakeClock();
    const batches: (readonly number[])[] = [];
    let skip = 1;
    const queue = frameQueue<number>(
      (items) => batches.push(items),
      clock,
      () => skip,
    );
    queue.push(1);
    frames[0]?.();
    queue.push(2);
    expect(batches).toEqual([]);
    frames[1]?.();
    skip = 0;
    queue.push(3);
    frames[2]?.();
    expect(batches).toEqual([[1, 2], [3]]);
  });

  test('hands over by the timer in a hidden page, and not twice', () => {
    const { clock, frames, timers } = fakeClock();
    const batches: (readonly number[])[] = [];
    const queue = frameQueue<number>((items) => batches.push(items), clock);
    queue.push(1);
    timers[0]?.();
    frames[0]?.();
    expect(batches).toEqual([[1]]);
  });
});
