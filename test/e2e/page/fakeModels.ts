/** The models of the fake bridge, and the answers of the model room. */
import type {
  DeviceReport,
  DownloadStatus,
  FormatForecast,
  HubPart,
  HubTest,
  InstalledModel,
  LoadedModel,
  ModelFormat,
  NetworkRequest,
  RepoDescription,
  WeightFormat,
} from '../../../main/contract/domain.ts';

const now = 1_790_000_000_000;

export const model: LoadedModel = {
  source: 'nvidia--Nemotron-Flash-3B-Instruct@1a2b3c4',
  name: 'Nemotron-Flash-3B-Instruct',
  device: 'cuda',
  deviceIndex: 0,
  deviceName: 'RTX 4070',
  format: 'int4',
  threads: 8,
  parameters: 2_749_998_624,
  layers: 36,
  vocab: 131072,
  metaTokens: 256,
  trainedPositions: 29_000,
  contextPositions: 8192,
  weightBytes: 1_760_000_000,
  stateBytes: 41_000_000,
  kvBytesPerPosition: 8192,
  loadNs: 1_840_000_000,
  weightsFrom: 'source',
  synthetic: false,
};

export const devices: DeviceReport = {
  devices: [
    {
      kind: 'cpu',
      index: 0,
      name: 'AMD Ryzen 7 7840U',
      memoryTotalBytes: 32_000_000_000,
      memoryFreeBytes: 21_000_000_000,
      computeCapability: null,
      threads: 8,
      features: 'AVX2 AVX-512',
      nominalBytesPerSecond: null,
    },
  ],
  cudaReason: 'The NVIDIA driver (libcuda) was not found.',
};

export const installedModel: InstalledModel = {
  id: model.source,
  name: model.name,
  repo: 'nvidia/Nemotron-Flash-3B-Instruct',
  revision: '1a2b3c4d',
  folder: '/home/mira/.nemoflash/models/nvidia--Nemotron-Flash-3B-Instruct',
  sizeBytes: 5_520_000_000,
  origin: 'downloaded',
  installedAt: now,
  verifiedAt: now,
  licenceId: 'cc-by-nc-4.0',
};

export const description: RepoDescription = {
  repo: 'nvidia/Nemotron-Flash-3B-Instruct',
  revision: '1a2b3c4d5e6f',
  files: [],
  totalBytes: 5_520_000_000,
  licence: {
    id: 'cc-by-nc-4.0',
    name: 'CC BY-NC 4.0',
    link: 'https://example.invalid/licence',
    text: 'Attribution, non-commercial. '.repeat(60),
  },
  gated: false,
  targetFolder: '/home/mira/.nemoflash/models',
  freeBytes: 211_000_000_000,
  forecasts: [
    {
      format: 'bf16',
      device: 'cuda',
      memoryBytes: 6_400_000_000,
      memoryFreeBytes: 12_000_000_000,
      fits: true,
      tokensPerSecond: 82,
    },
    {
      format: 'int8',
      device: 'cuda',
      memoryBytes: 3_500_000_000,
      memoryFreeBytes: 12_000_000_000,
      fits: true,
      tokensPerSecond: 124,
    },
    {
      format: 'int4',
      device: 'cuda',
      memoryBytes: 2_200_000_000,
      memoryFreeBytes: 12_000_000_000,
      fits: true,
      tokensPerSecond: 160,
    },
    {
      format: 'f32',
      device: 'cuda',
      memoryBytes: 12_600_000_000,
      memoryFreeBytes: 12_000_000_000,
      fits: false,
      tokensPerSecond: null,
    },
  ],
  recommendedFormat: 'bf16',
};

const needs: Readonly<Record<WeightFormat, number>> = { f32: 12.6, bf16: 6.4, int8: 3.5, mixed: 2.5, int4: 2.2 };
const speeds: Readonly<Record<WeightFormat, number>> = { f32: 41, bf16: 82, int8: 124, mixed: 151, int4: 160 };

export const forecasts = (): readonly FormatForecast[] =>
  (Object.keys(needs) as WeightFormat[]).map((format) => ({
    format,
    device: 'cuda',
    memoryBytes: needs[format] * 1e9,
    memoryFreeBytes: 12e9,
    fits: needs[format] < 12,
    tokensPerSecond: speeds[format],
  }));

export const formats = (): readonly ModelFormat[] => [
  { format: 'bf16', cachedBytes: null, stoppedBytes: 0 },
  { format: 'int8', cachedBytes: null, stoppedBytes: 0 },
  { format: 'mixed', cachedBytes: null, stoppedBytes: 1_100_000_000 },
  { format: 'int4', cachedBytes: 1_760_000_000, stoppedBytes: 0 },
];

export const baseModel: InstalledModel = {
  id: 'nvidia/Nemotron-Flash-1B@9f8e7d6',
  name: 'Nemotron-Flash-1B',
  repo: 'nvidia/Nemotron-Flash-1B',
  revision: '9f8e7d6c5b4a39281706f5e4d3c2b1a099887766',
  folder: '/media/models/models--nvidia--Nemotron-Flash-1B/snapshots/9f8e7d6c5b4a39281706f5e4d3c2b1a099887766',
  sizeBytes: 1_930_000_000,
  origin: 'downloaded',
  installedAt: now,
  verifiedAt: null,
  licenceId: 'other',
};

export const requests = (): readonly NetworkRequest[] => [
  entry(0, 'cdn.hub.invalid', 'file', 206, 67_108_864, null),
  entry(900, 'cdn.hub.invalid', 'file', 206, 12_582_912, 'TIMEOUT'),
  entry(1400, 'hub.invalid', 'locate', 302, 0, null),
  entry(2100, 'hub.invalid', 'card', 200, 18_204, null),
  entry(2300, 'hub.invalid', 'list', 200, 4_180, null),
  entry(2600, 'hub.invalid', 'describe', 200, 912, null),
  entry(90_000, 'hub.invalid', 'test', null, 0, 'OFFLINE'),
];

function entry(
  ago: number,
  host: string,
  purpose: NetworkRequest['purpose'],
  status: number | null,
  receivedBytes: number,
  problem: string | null,
): NetworkRequest {
  return { at: now - ago, host, purpose, status, receivedBytes, durationMs: 120, problem };
}

const findings: Readonly<Record<HubPart, HubTest['finding']>> = {
  endpoint: { kind: 'answered' },
  token: { kind: 'account', user: 'mira' },
  proxy: { kind: 'unset' },
  caFile: { kind: 'certificates', count: 2 },
};

export const hubTest = (part: HubPart): HubTest => ({
  part,
  endpoint: 'https://hub.invalid',
  durationMs: 84,
  finding: findings[part],
  problem: null,
});

export const download = (partial: Partial<DownloadStatus> = {}): DownloadStatus => ({
  repo: 'nvidia/Nemotron-Flash-3B-Instruct',
  revision: '1a2b3c4d5e6f',
  state: 'running',
  doneBytes: 2_310_000_000,
  totalBytes: 5_520_000_000,
  bytesPerSecond: 48_200_000,
  etaSeconds: 67,
  reason: null,
  file: 'model-00001-of-00002.safetensors',
  ...partial,
});
