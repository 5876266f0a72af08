/** Measurements made up for tests of the page alone: plausible, always the same, and consistent with each other. */
import type { GenerationStats, TokenTiming } from '../../../main/contract/domain.ts';
import { benchmarkPlans } from '../../../main/contract/benchmark.ts';
import type { Benchmark, Comparison } from '../../../main/contract/benchmark.ts';
import type {
  AnswerRecord,
  Environment,
  MetricsOverview,
  Microscope,
  Roofline,
  Stage,
  StageClass,
  Startup,
  SystemSample,
} from '../../../main/contract/metrics.ts';

export const environment: Environment = {
  hash: '5f0c31d9a2b4',
  appVersion: '0.1.0',
  engineBuild: '90aa12ffce01',
  platform: 'linux-x64',
  deviceKind: 'cuda',
  device: 'RTX 4070',
  driver: '570.86',
  model: 'nvidia--Nemotron-Flash-3B-Instruct@1a2b3c4',
  format: 'int4',
  threads: 8,
};

/** 36 operators in the order of the 3B model: mixer and FFN in turn, attention thrice. */
function stages(): readonly Stage[] {
  const mixers = 'DMAM DMAM DMAM DMDMDM'.replaceAll(' ', '');
  const classes: Readonly<Record<string, StageClass>> = { D: 'deltanet', M: 'mamba2', A: 'attention' };
  const list: Stage[] = [{ name: 'embed', stageClass: 'embed', layer: -1, weightBytes: 1728, stateBytes: 0, flops: 0 }];
  [...mixers].forEach((mixer, index) => {
    const stageClass = classes[mixer] ?? 'deltanet';
    const layer = 2 * index;
    const ffn = { stageClass: 'ffn', layer: layer + 1, stateBytes: 0 } as const;
    list.push(
      { name: 'norm_project', stageClass, layer, weightBytes: 14_000_000, stateBytes: 0, flops: 56e6 },
      { name: stageClass, stageClass, layer, weightBytes: 90_000, stateBytes: 3_100_000, flops: 0 },
      { name: 'project_add', stageClass, layer, weightBytes: 6_000_000, stateBytes: 0, flops: 24e6 },
      { name: 'ffn_up', ...ffn, weightBytes: 24_000_000, flops: 96e6 },
      { name: 'ffn_down_add', ...ffn, weightBytes: 12_000_000, flops: 48e6 },
    );
  });
  return [
    ...list,
    { name: 'head', stageClass: 'head', layer: -1, weightBytes: 170_000_000, stateBytes: 0, flops: 680e6 },
    { name: 'sample', stageClass: 'sampling', layer: -1, weightBytes: 0, stateBytes: 524_288, flops: 0 },
  ];
}

const bytesOf = ({ weightBytes, stateBytes }: Stage): number => weightBytes + stateBytes;
const bytesPerSecond = 441e9;

export function roofline(contextPositions: number): Roofline {
  const list = stages();
  const bytesPerToken = list.reduce((sum, stage) => sum + bytesOf(stage), 0);
  const flopsPerPromptToken = list.reduce((sum, stage) => sum + (stage.stageClass === 'head' ? 0 : stage.flops), 0);
  const limits = { bytesPerSecond, flopsPerSecond: 96e12 };
  return { contextPositions, stages: list, bytesPerToken, flopsPerPromptToken, limits };
}

export const microscope: Microscope = {
  tokens: 32,
  stages: stages().map((stage, index) => ({
    ...stage,
    ns: Math.round((1e9 * bytesOf(stage)) / (bytesPerSecond * (0.72 + (index % 5) / 50)) + 2400),
  })),
  plainItlNs: 3_100_000,
  tracedItlNs: 4_380_000,
};

const medianNs = [3_000, 335_000, 505_000, 172_000, 1_540_000, 410_000, 62_000];

export function recordOf(
  identity: Pick<AnswerRecord, 'id' | 'messageId' | 'at'>,
  stats: GenerationStats,
  timings: readonly TokenTiming[],
): AnswerRecord {
  const gaps = timings.slice(1).map(({ stampNs }, index) => ({
    index: index + 1,
    gapNs: stampNs - (timings[index]?.stampNs ?? 0),
  }));
  const worst = gaps.sort((a, b) => b.gapNs - a.gapNs || a.index - b.index).slice(0, 10);
  return {
    ...identity,
    environment: environment.hash,
    stats,
    ttstNs: stats.ttftNs + 3_300_000,
    anatomy: { medianNs, worstNs: medianNs.map((ns, index) => (index === 3 ? ns + 3_900_000 : ns)) },
    detokeniseNs: 1_450,
    worst: worst.map(({ index, gapNs }, rank) => ({
      index,
      gapNs,
      forwardNs: Math.round(0.93 * gapNs),
      sampleNs: 62_000,
      classNs: medianNs,
      meanwhile:
        rank === 0
          ? [{ kind: 'gc', durationNs: 2_900_000 }]
          : rank === 2
            ? [
                { kind: 'request', durationNs: gapNs },
                { kind: 'throttle', durationNs: gapNs },
              ]
            : [],
    })),
    ipcNs: { p50: 310_000, p95: 520_000, p99: 840_000, max: 2_300_000 },
    paintNs: { p50: 7_900_000, p95: 15_200_000, p99: 16_400_000, max: 31_000_000 },
  };
}

const summary = (total: number, p50: number) => ({
  total,
  percentiles: { p50, p95: Math.round(1.12 * p50), p99: Math.round(1.2 * p50), max: Math.round(3.1 * p50) },
});

export const overview: MetricsOverview = {
  environment,
  session: {
    ttft: summary(24, 42_000_000),
    ttst: summary(24, 45_300_000),
    itl: summary(12_264, 3_100_000),
    ipc: summary(4_310, 310_000),
    paint: summary(4_310, 7_900_000),
  },
  goodputTokensPerSecond: 287.4,
  regression: null,
};

export const regression: MetricsOverview['regression'] = {
  before: { ...environment, hash: '0b0b0b0b0b0b', driver: '565.57' },
  after: environment,
  changed: ['driver'],
  beforeNs: 3_100_000,
  afterNs: 3_472_000,
  spreadNs: 62_000,
  answersBefore: 50,
  answersAfter: 12,
};

export const sample: SystemSample = {
  at: 0,
  residentBytes: 412_000_000,
  heapBytes: 61_000_000,
  hostFreeBytes: 21_300_000_000,
  hostTotalBytes: 32_000_000_000,
  cpuNs: 0,
  gpu: {
    name: 'RTX 4070',
    memoryUsedBytes: 2_400_000_000,
    memoryTotalBytes: 12_880_000_000,
    smClockMhz: 2610,
    memoryClockMhz: 10_501,
    temperatureC: 61,
    powerW: 148,
    powerLimitW: 200,
    utilisationPercent: 97,
    throttle: [],
  },
  gpuReason: null,
};

const start = (id: number, shift: number): Startup => ({
  id,
  at: 1_790_000_000_000 - (5 - id) * 3_600_000,
  appVersion: '0.1.0',
  marksMs: {
    process: 0,
    shell: 137 + shift,
    services: 182 + shift,
    pageBegin: 240 + shift,
    firstPaint: 471 + shift,
    composer: 506 + shift,
    modelBegin: 190 + shift,
    modelMapped: 1_310 + 3 * shift,
    modelReady: 1_842 + 3 * shift,
  },
});
export const startups: readonly Startup[] = [start(4, 0), start(3, 14), start(2, -6), start(1, 31)];

const around = (median: number) => ({ median, low: 0.985 * median, high: 1.008 * median });
const itlNs = { p50: 3_100_000, p95: 3_300_000, p99: 3_600_000, max: 9_400_000 };

/** Rows of the paper's plan; `factor`: how fast against the newest. */
function benchmark(id: number, factor: number): Benchmark {
  const row = (kind: Benchmark['rows'][number]['kind'], size: number, perSecond: number, tokens: number) => ({
    kind,
    size,
    tokensPerSecond: around(factor * perSecond),
    seconds: around(tokens / (factor * perSecond)),
    itlNs: kind === 'prefill' ? null : itlNs,
  });
  return {
    id,
    at: 1_790_000_000_000 - (5 - id) * 86_400_000 * 9,
    environment: { ...environment, appVersion: id > 3 ? '0.2.0' : '0.1.0' },
    plan: benchmarkPlans.paper,
    rows: [
      row('prefill', 512, 9_240, 512),
      row('prefill', 2048, 11_730, 2048),
      row('sequences', 1, 318, 255),
      row('sequences', 4, 902, 1020),
      row('sequences', 16, 1_844, 4080),
      row('decode', 8192, 311, 8191),
    ],
    leftOut: ['read 8192 tokens: needs a context of 8449 positions'],
  };
}
export const benchmarks: readonly Benchmark[] = [
  benchmark(4, 1),
  benchmark(3, 0.97),
  benchmark(2, 0.86),
  benchmark(1, 0.88),
];

export const comparison: Comparison = {
  first: environment,
  second: { ...environment, hash: '77aa00bb11cc', format: 'int8' },
  variants: [{}, { format: 'int8' }],
  comparedBy: 'itl',
  firstNs: [3_102_000, 3_098_000, 3_110_000, 3_097_000, 3_105_000, 3_101_000],
  secondNs: [4_020_000, 4_031_000, 4_012_000, 4_044_000, 4_025_000, 4_018_000],
  ratio: 1.297,
  low: 1.291,
  high: 1.304,
  verdict: 'slower',
};
