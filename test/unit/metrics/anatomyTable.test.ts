import { describe, expect, it } from 'vitest';

import { anatomyLines } from '../../../main/metrics/anatomyTable.ts';

const stage = (name: string, stageClass: string, ns: number, bytes: number) => ({
  ...{ name, class: stageClass, layer: 0, weight_bytes: bytes, state_bytes: 0, median_ns: ns },
});
const measured = {
  anatomy: [stage('ffn_up', 'ffn', 600_000, 30_000_000), stage('ffn_down', 'ffn', 200_000, 10_000_000)],
  stamp_overhead: { median: 0.004, low: -0.002, high: 0.009 },
  trace_overhead: { median: 0.12, low: 0.1, high: 0.15 },
  bandwidth_gb_per_s: 100,
};

describe('the anatomy on the command line', () => {
  it('adds up stages by class, with the share of the bandwidth', () => {
    const ffn = anatomyLines(measured).find((line) => line.startsWith('ffn'))!;
    expect(ffn.split(/\s{2,}/)).toEqual(['ffn', '0.800 ms', '100.0 %', '40.0 MB', '50.0 GB/s', '50 %']);
  });

  it('says what measuring costs, and whether that is within the budget', () => {
    expect(anatomyLines(measured).at(-1)).toBe(
      'Always-on stamps cost 0.40 % of a median ITL (-0.20 % to 0.90 % over the pairs): within the budget of 1.00 %.',
    );
    const slow = { ...measured, stamp_overhead: { median: 0.02, low: 0.01, high: 0.03 } };
    expect(anatomyLines(slow).at(-1)).toContain('over the budget');
  });
});
