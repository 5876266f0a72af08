/** The anatomy of a benchmark row, as lines for people. */
import { stageClasses } from '../contract/metrics.ts';
import type { Spread } from '../contract/benchmark.ts';

/** As nf::json_of writes it. */
export interface NativeStageTime {
  readonly name: string;
  readonly class: string;
  readonly layer: number;
  readonly weight_bytes: number;
  readonly state_bytes: number;
  readonly median_ns: number;
}

export interface MeasuredAnatomy {
  readonly anatomy: readonly NativeStageTime[];
  readonly stamp_overhead: Spread;
  readonly trace_overhead: Spread;
  /** Of the machine, measured in the same run. */
  readonly bandwidth_gb_per_s: number;
}

/** What always-on stamps may cost. */
export const stampBudget = 0.01;

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const spreadText = ({ median, low, high }: Spread): string =>
  `${percent(median)} of a median ITL (${percent(low)} to ${percent(high)} over the pairs)`;

/** Stage classes in their order, with time, bytes and the share of the memory's bandwidth; then what measuring cost. */
export function anatomyLines(measured: MeasuredAnatomy): readonly string[] {
  const { anatomy, stamp_overhead, trace_overhead, bandwidth_gb_per_s } = measured;
  const totalNs = anatomy.reduce((sum, stage) => sum + stage.median_ns, 0);
  const rows = stageClasses.map((stageClass) => {
    const own = anatomy.filter((stage) => stage.class === stageClass);
    const ns = own.reduce((sum, stage) => sum + stage.median_ns, 0);
    const bytes = own.reduce((sum, stage) => sum + stage.weight_bytes + stage.state_bytes, 0);
    const speed = ns > 0 ? bytes / ns : 0; // bytes per ns are GB/s
    return [
      stageClass,
      `${(ns / 1e6).toFixed(3)} ms`,
      `${((100 * ns) / Math.max(1, totalNs)).toFixed(1)} %`,
      `${(bytes / 1e6).toFixed(1)} MB`,
      `${speed.toFixed(1)} GB/s`,
      `${((100 * speed) / bandwidth_gb_per_s).toFixed(0)} %`,
    ];
  });
  const table = [['stage class', 'time', 'share', 'bytes', 'speed', 'of limit'], ...rows];
  const within = stamp_overhead.median <= stampBudget ? 'within' : 'over';
  return [
    ...table.map(([name = '', ...cells]) => name.padEnd(14) + cells.map((cell) => cell.padStart(12)).join('')),
    `Every stage was waited for; that costs ${spreadText(trace_overhead)}.`,
    `Always-on stamps cost ${spreadText(stamp_overhead)}: ${within} the budget of ${percent(stampBudget)}.`,
  ];
}
