/**
 * What is measured and how it is called. Definitions stand beside the words, once, for page, command line and docs.
 * Times are integers of nanoseconds of the engine's clock unless a name says otherwise.
 */
import type { DeviceKind, GenerationStats, Percentiles, WeightFormat } from './domain.ts';

/**
 * TTFT   submitted to first token known, queueing included.
 * TTST   submitted to second token known: shows a slow first decode step that TTFT and the mean ITL both hide.
 * ITL    inter-token latency: the gap between token i and token i + 1, i >= 1.
 * TPOT   time per output token: (last token - first token) / (tokens - 1). The first token is left out; some tools
 *        (GuideLLM) keep it in.
 * prefill tokens/s   new prompt tokens / time to read them; reused tokens do not count.
 * decode tokens/s    1 / TPOT.
 * goodput            tokens/s of the answers that kept both promises below, over the time all answers took.
 * Percentiles        of an HDR histogram with three significant digits over every gap, never over samples.
 * Engine, IPC, paint three series and never one: the engine's stamps; publishing in main to receiving in the page;
 *                    receiving to the frame on screen.
 */
export const goodputPromise = { ttftNs: 1e9, tpotNs: 50e6 } as const;

export const stageClasses = ['embed', 'deltanet', 'mamba2', 'attention', 'ffn', 'head', 'sampling'] as const;
export type StageClass = (typeof stageClasses)[number];

/** One stage of a decode step, as the engine lists them. */
export interface Stage {
  readonly name: string;
  readonly stageClass: StageClass;
  /** -1 outside the layers. */
  readonly layer: number;
  readonly weightBytes: number;
  /** Recurrent state and KV, read and written. */
  readonly stateBytes: number;
  /** Of the products with weight matrices, per token. */
  readonly flops: number;
}

/** Nanoseconds by stage class, in the order of stageClasses. */
export type ClassTimes = readonly number[];

/** What two measurements must share to be compared. */
export interface Environment {
  /** 12 hex digits of a SHA-256 over the other fields. */
  readonly hash: string;
  readonly appVersion: string;
  /** 12 hex digits of the SHA-256 of the native engine's file. */
  readonly engineBuild: string;
  readonly platform: string;
  readonly deviceKind: DeviceKind;
  readonly device: string;
  /** GPU: driver version; CPU: instruction sets in use. */
  readonly driver: string;
  readonly model: string;
  readonly format: WeightFormat;
  readonly threads: number;
}

export const happenings = ['gc', 'request', 'download', 'throttle'] as const;
/**
 * What else went on while a token took long. gc: garbage collection in main. request: another request waited or ran.
 * download: a model was being fetched. throttle: the GPU lowered its clocks, as seen by whoever showed its sensors.
 */
export interface Happening {
  readonly kind: (typeof happenings)[number];
  readonly durationNs: number;
}

export interface WorstToken {
  /** Of the answer, from 0; at least 1, as the first token has no gap. */
  readonly index: number;
  readonly gapNs: number;
  readonly forwardNs: number;
  readonly sampleNs: number;
  /** null when the device gives no such stamps. */
  readonly classNs: ClassTimes | null;
  readonly meanwhile: readonly Happening[];
}

export interface Anatomy {
  /** Of the tokens after the first: the median of each class. */
  readonly medianNs: ClassTimes;
  /** Of the token with the longest gap. */
  readonly worstNs: ClassTimes;
}

/** Measured in the page; what the page did not see is null. */
export interface PageSeries {
  readonly ipcNs: Percentiles | null;
  readonly paintNs: Percentiles | null;
}

/** One measured answer. Holds no text. */
export interface AnswerRecord extends PageSeries {
  readonly id: number;
  /** null for an answer that belongs to no chat, as those of the API. */
  readonly messageId: string | null;
  readonly at: number;
  readonly environment: string;
  readonly stats: GenerationStats;
  /** Submitted to second token known; null with fewer than two tokens. */
  readonly ttstNs: number | null;
  readonly anatomy: Anatomy | null;
  /** Turning tokens into text, in main and beside the engine: mean per token. */
  readonly detokeniseNs: number | null;
  /** Longest gaps first. */
  readonly worst: readonly WorstToken[];
}

/** Time per output token after the first; null with fewer than two tokens. */
export function tpotNs(stats: GenerationStats): number | null {
  return stats.outputTokens > 1 ? stats.decodeNs / (stats.outputTokens - 1) : null;
}

export function keepsPromise(stats: GenerationStats): boolean {
  return stats.ttftNs <= goodputPromise.ttftNs && (tpotNs(stats) ?? 0) <= goodputPromise.tpotNs;
}

/** Tokens per second of the answers that kept the promise, over the time all of them took; null without answers. */
export function goodput(answers: readonly GenerationStats[]): number | null {
  const spentNs = answers.reduce((sum, stats) => sum + stats.ttftNs + stats.decodeNs, 0);
  const tokens = answers.filter(keepsPromise).reduce((sum, stats) => sum + stats.outputTokens, 0);
  return spentNs > 0 ? (tokens * 1e9) / spentNs : null;
}

/** A histogram's summary; null percentiles while it is empty. */
export interface SeriesSummary {
  readonly total: number;
  readonly percentiles: Percentiles | null;
}

export const seriesNames = ['ttft', 'ttst', 'itl', 'ipc', 'paint'] as const;
export type SeriesName = (typeof seriesNames)[number];

/** Median ITL moved by more than its usual spread since the environment changed. */
export interface Regression {
  readonly before: Environment;
  readonly after: Environment;
  /** Names of the fields that changed. */
  readonly changed: readonly (keyof Environment)[];
  readonly beforeNs: number;
  readonly afterNs: number;
  /** What answers of one environment differ by: 1.4826 times the median absolute deviation, times three. */
  readonly spreadNs: number;
  readonly answersBefore: number;
  readonly answersAfter: number;
}

export interface MetricsOverview {
  /** null while no model is loaded. */
  readonly environment: Environment | null;
  /** Since the app began. */
  readonly session: Readonly<Record<SeriesName, SeriesSummary>>;
  readonly goodputTokensPerSecond: number | null;
  readonly regression: Regression | null;
}

/** What the GPU's management library said just now; what it does not tell is null. */
export interface GpuSample {
  readonly name: string;
  readonly memoryUsedBytes: number | null;
  readonly memoryTotalBytes: number | null;
  readonly smClockMhz: number | null;
  readonly memoryClockMhz: number | null;
  readonly temperatureC: number | null;
  readonly powerW: number | null;
  readonly powerLimitW: number | null;
  readonly utilisationPercent: number | null;
  /** What slows the clocks now, in words; empty: nothing. null: not told. */
  readonly throttle: readonly string[] | null;
}

export interface SystemSample {
  readonly at: number;
  /** Of the process that holds engine and services. */
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly hostFreeBytes: number;
  readonly hostTotalBytes: number;
  /** CPU time of that process since it began, all threads. */
  readonly cpuNs: number;
  readonly gpu: GpuSample | null;
  /** Why there is no GPU in it, in a sentence; null when there is one. */
  readonly gpuReason: string | null;
}

/** What this device can do at best, measured on it. */
export interface DeviceLimits {
  /** Reading the memory that holds the weights: streaming through a buffer far larger than every cache. */
  readonly bytesPerSecond: number;
  /** The product that reads prompts, in the model's format, at the shape that suits it best; null: no such product. */
  readonly flopsPerSecond: number | null;
}

/** What a decode step must move, what reading a prompt must compute, and what this device can. */
export interface Roofline {
  readonly contextPositions: number;
  readonly stages: readonly Stage[];
  readonly bytesPerToken: number;
  /** Products with weights to read one token of a prompt: the head, which runs for the last one alone, left out. */
  readonly flopsPerPromptToken: number;
  /** null while not measured. */
  readonly limits: DeviceLimits | null;
}

/** One answer with every stage timed. Each stage is awaited, so the sum is longer than a token left alone. */
export interface Microscope {
  readonly tokens: number;
  /** Median of each stage. */
  readonly stages: readonly (Stage & { readonly ns: number })[];
  /** Median ITL of the same answer left alone, and under the microscope. */
  readonly plainItlNs: number | null;
  readonly tracedItlNs: number | null;
}

export const startupMarks = ['process', 'services', 'shell', 'modelBegin', 'modelMapped', 'modelReady'] as const;
export const pageMarks = ['pageBegin', 'firstPaint', 'composer'] as const;
export type StartupMark = (typeof startupMarks)[number] | (typeof pageMarks)[number];

/** One start, as milliseconds since the process began. The page may have been opened later than the app. */
export interface Startup {
  readonly id: number;
  readonly at: number;
  readonly appVersion: string;
  readonly marksMs: Readonly<Partial<Record<StartupMark, number>>>;
}
