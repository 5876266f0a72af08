/** What a model will need and how fast it can be, before it is fetched. Sizes follow native/src/quantise.h. */
import { automaticFormats, weightFormats } from '../contract/domain.ts';
import type { DeviceKind, FormatForecast, WeightFormat } from '../contract/domain.ts';
import type { ModelConfig } from './modelConfig.ts';

/** A device as far as the forecast cares. */
export interface ForecastDevice {
  readonly kind: DeviceKind;
  readonly memoryFreeBytes: number;
  /** Of its memory: measured for a CPU, by clock and width for a GPU; null where that is not known. */
  readonly bytesPerSecond: number | null;
}

type Role = 'mixer' | 'ffn' | 'head' | 'kept';
type Stored = 'f32' | 'bf16' | 'int8' | 'int4';

/** Share of the memory's bandwidth that decoding reaches: measured, see docs/performance-cpu.md and -cuda.md. */
const reachedShare: Readonly<Record<DeviceKind, Readonly<Record<WeightFormat, number>>>> = {
  cpu: { f32: 0.9, bf16: 0.9, int8: 0.85, mixed: 0.8, int4: 0.75 },
  // Of the nominal bandwidth, of which reading reaches 0.95.
  cuda: { f32: 0.65, bf16: 0.7, int8: 0.56, mixed: 0.42, int4: 0.36 },
};

/** Working buffers, the tokenizer and the addon itself: measured generously. */
const overheadBytes = 400_000_000;

/** Mirrors nf::matrix_format. */
function storedAs(role: Role, format: WeightFormat): Stored {
  if (format === 'f32' || format === 'bf16') return format;
  if (role === 'kept') return 'bf16';
  if (format === 'mixed') return role === 'mixer' ? 'int8' : 'int4';
  return format;
}

/** Bytes of a matrix [rows, columns]; quantised groups (int8: 128, int4: 32) carry a float16 scale each. */
function matrixBytes(rows: number, columns: number, role: Role, format: WeightFormat): number {
  switch (storedAs(role, format)) {
    case 'f32':
      return rows * columns * 4;
    case 'bf16':
      return rows * columns * 2;
    case 'int8':
      return rows * (columns + 2 * Math.ceil(columns / 128));
    case 'int4':
      return rows * (Math.ceil(columns / 2) + 2 * Math.ceil(columns / 32));
  }
}

/** Bytes of all weights, and of those that one token reads. Norms and convolutions are left out: below a thousandth. */
export function weightBytes(
  config: ModelConfig,
  format: WeightFormat,
): { readonly stored: number; readonly read: number } {
  const { hidden, vocab, ffnDim, queryHeads, keyValueHeads, qkDim, vDim, mambaInner, mambaState, mambaHeads } = config;
  const bytes = (rows: number, columns: number, role: Role) => matrixBytes(rows, columns, role, format);
  const ffn = (config.ffnGated ? 2 : 1) * bytes(ffnDim, hidden, 'ffn') + bytes(hidden, ffnDim, 'ffn');
  const perLayer = {
    deltanet: 4 * bytes(hidden, hidden, 'mixer') + bytes(queryHeads, hidden, 'kept'),
    mamba2:
      bytes(2 * mambaInner + 2 * mambaState, hidden, 'mixer') +
      bytes(mambaHeads, hidden, 'kept') +
      bytes(hidden, mambaInner, 'mixer'),
    attention:
      bytes(queryHeads * qkDim + keyValueHeads * (qkDim + vDim), hidden, 'mixer') +
      bytes(hidden, queryHeads * vDim, 'mixer'),
    ffn,
  };
  let read = bytes(vocab, hidden, 'head');
  for (const layer of config.layers) {
    read += perLayer[layer];
    if (config.ffnInMixers && layer !== 'ffn') read += ffn;
  }
  const embedding = config.tiedHead ? 0 : bytes(vocab, hidden, 'kept');
  return { stored: read + embedding + bytes(config.memoryTokens, hidden, 'kept'), read };
}

/** Float32 state of the recurrent layers of one sequence. */
export function stateBytes(config: ModelConfig): number {
  const { hidden, queryHeads, mambaInner, mambaState, mambaConv } = config;
  const count = (type: string) => config.layers.filter((layer) => layer === type).length;
  const delta = hidden * (hidden / queryHeads) + 3 * 3 * hidden;
  const mamba = mambaInner * mambaState + (mambaConv - 1) * (mambaInner + 2 * mambaState);
  return 4 * (count('deltanet') * delta + count('mamba2') * mamba);
}

/** Keys and values that one position adds, in bf16. */
export function kvBytesPerPosition(config: ModelConfig): number {
  const attention = config.layers.filter((layer) => layer === 'attention').length;
  return 2 * attention * config.keyValueHeads * (config.qkDim + config.vDim);
}

/**
 * Every format on every device, for a context of so many positions. Speed is the bandwidth that decoding reaches over
 * the bytes a token reads, with the context half full.
 */
export function forecast(
  config: ModelConfig,
  devices: readonly ForecastDevice[],
  contextPositions: number,
): readonly FormatForecast[] {
  const kvBytes = kvBytesPerPosition(config) * (contextPositions + config.memoryTokens);
  return devices.flatMap(({ kind, memoryFreeBytes, bytesPerSecond }) =>
    weightFormats.map((format) => {
      const weights = weightBytes(config, format);
      const memoryBytes = weights.stored + stateBytes(config) + kvBytes + overheadBytes;
      const bytesPerToken = weights.read + 2 * stateBytes(config) + kvBytes / 2;
      return {
        format,
        device: kind,
        memoryBytes,
        memoryFreeBytes,
        fits: memoryBytes <= memoryFreeBytes,
        tokensPerSecond: bytesPerSecond === null ? null : (reachedShare[kind][format] * bytesPerSecond) / bytesPerToken,
      };
    }),
  );
}

/** The preferred format that fits on a GPU, else on the CPU; int4 when nothing fits. */
export function recommendFormat(forecasts: readonly FormatForecast[]): WeightFormat {
  for (const device of ['cuda', 'cpu'] as const) {
    const fitting = automaticFormats[device].find((format) =>
      forecasts.some((entry) => entry.device === device && entry.format === format && entry.fits),
    );
    if (fitting) return fitting;
  }
  return 'int4';
}
