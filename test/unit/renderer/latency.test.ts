import { describe, expect, test } from 'vitest';

import type { Benchmark } from '../../../main/contract/benchmark.ts';
import { benchmarkCsv, benchmarkJson, fileName } from '../../../renderer/views/latency/benchmarkFiles.ts';
import { plotOf, sourceOf, xOf, yOf } from '../../../renderer/views/latency/stripPainter.ts';
import { bytesByClass, partsOf } from '../../../renderer/views/latency/stages.ts';
import { Series } from '../../../renderer/state/series.ts';

describe('a series of gaps', () => {
  test('keeps the newest and the percentiles of all, in memory that stops growing', () => {
    const series = new Series();
    const slowest = 812_345_678;
    for (let token = 0; token < 1_000_000; token += 1) {
      series.push(token === 123_456 ? slowest : token % 50 === 0 ? 9e6 : 3e6);
    }
    expect(series.total).toBe(1_000_000);
    expect(series.values()).toHaveLength(16_384);
    expect(series.at(series.first - 1)).toBeNaN();
    expect(series.at(999_950)).toBe(9e6);
    expect(series.values().at(-50)).toBe(9e6);
    const { p50, p99, max } = series.histogram.percentiles()!;
    expect(Math.abs(p50 / 3e6 - 1)).toBeLessThan(0.001);
    expect(Math.abs(p99 / 9e6 - 1)).toBeLessThan(0.001);
    expect(max).toBe(slowest);
  });
});

describe('the strip', () => {
  const spread = { p50: 3e6, p95: 3.2e6, p99: 4e6, max: 900e6 };

  test('cuts outliers off at a multiple of the median, so that the others stay apart', () => {
    const plot = plotOf(sourceOf(new Float64Array(100)), 800, spread, false);
    expect(plot.topNs).toBe(50e6);
    expect(yOf(plot, 900e6)).toBe(yOf(plot, 50e6));
    expect(yOf(plot, 3e6)).toBeGreaterThan(yOf(plot, 4e6));
  });

  test('leaves room while an answer grows, and none when it has ended', () => {
    const source = sourceOf(new Float64Array(300));
    const live = plotOf(source, 800, spread, true);
    expect(live.capacity).toBe(512);
    expect(xOf(live, 299)).toBeLessThan(xOf(live, live.capacity - 1));
    expect(plotOf(source, 800, spread, false).capacity).toBe(300);
  });
});

describe('stages', () => {
  test('what the classes leave of a gap is transfer and waiting, and never less than nothing', () => {
    const parts = partsOf([1, 2, 3, 4, 5, 6, 7], 100);
    expect(parts.at(-1)).toEqual({ share: 'rest', ns: 72 });
    expect(partsOf([1, 2, 3, 4, 5, 6, 7], 20).at(-1)!.ns).toBe(0);
  });

  test('bytes add up by class', () => {
    const stage = { name: 'n', layer: 0, weightBytes: 10, stateBytes: 1, flops: 0 };
    const bytes = bytesByClass([
      { ...stage, stageClass: 'ffn' },
      { ...stage, stageClass: 'ffn' },
      { ...stage, stageClass: 'head' },
    ]);
    expect(bytes).toEqual([0, 0, 0, 0, 22, 11, 0]);
  });
});

describe('an exported benchmark', () => {
  const benchmark = {
    id: 1,
    at: Date.UTC(2026, 10, 23, 18, 5, 9),
    environment: { hash: '5f0c31d9a2b4', device: 'A "fast" one, really', model: 'm', format: 'int4', threads: 8 },
    rows: [
      {
        kind: 'decode',
        size: 8192,
        tokensPerSecond: { median: 311, low: 305, high: 313 },
        seconds: { median: 26.3, low: 26, high: 27 },
        itlNs: { p50: 3_100_001, p95: 3_300_000, p99: 3_600_000, max: 9_400_000 },
      },
    ],
    leftOut: [],
  } as unknown as Benchmark;

  test('as CSV: one line a row, quoted where it must be, to the nanosecond', () => {
    const [head, line, end] = benchmarkCsv(benchmark).split('\n');
    expect(head!.split(',')).toHaveLength(17);
    expect(line).toContain('2026-11-23T18:05:09.000Z,5f0c31d9a2b4,"A ""fast"" one, really","m",int4,8,');
    expect(line).toContain('decode,8192,311,305,313,26.3,3100001,3300000,3600000,9400000');
    expect(end).toBe('');
  });

  test('as JSON: the same object again; the name says when and what it may be compared with', () => {
    expect(JSON.parse(benchmarkJson(benchmark))).toEqual(benchmark);
    expect(fileName(benchmark)).toBe('nemoflash-benchmark-2026-11-23-18-05-09-5f0c31d9a2b4');
  });
});
