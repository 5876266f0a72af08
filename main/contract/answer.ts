/** What is measured of an answer, and what is kept of its tokens. */
import type { DeviceKind, WeightFormat } from './device.ts';

/** One generated token. Stamped in the engine on its steady clock, never at arrival. */
export interface TokenTiming {
  readonly stampNs: number;
  readonly forwardNs: number;
  readonly sampleNs: number;
}

export const finishReasons = ['stop', 'length', 'context', 'cancelled', 'error'] as const;
export type FinishReason = (typeof finishReasons)[number];

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface GenerationStats {
  readonly promptTokens: number;
  /** Of these, taken from a checkpoint. The memory tokens count in neither. */
  readonly reusedTokens: number;
  /** Of the reused ones, brought back from the disk, as after a restart. */
  readonly restoredTokens?: number | undefined;
  /** Of the reused ones, read while the message was typed. */
  readonly typedTokens?: number | undefined;
  /** Why a saved state of the conversation could not be used, so that it was read again. */
  readonly notice?: string | undefined;
  readonly prefillNs: number;
  /** Submitted to first token known, queueing included. */
  readonly ttftNs: number;
  readonly queueNs: number;
  readonly outputTokens: number;
  /** First token to last token. */
  readonly decodeNs: number;
  /** Gaps between consecutive tokens; null with fewer than two tokens. */
  readonly itlNs: Percentiles | null;
  readonly finishReason: FinishReason;
  readonly seed: number;
  readonly device: DeviceKind;
  readonly format: WeightFormat;
}

/** Tokens per second; null when nothing was measured. */
export function prefillTokensPerSecond(stats: GenerationStats): number | null {
  const tokens = stats.promptTokens - stats.reusedTokens;
  return tokens > 0 && stats.prefillNs > 0 ? (tokens * 1e9) / stats.prefillNs : null;
}

/** Tokens per second after the first; null with fewer than two tokens. */
export function decodeTokensPerSecond(stats: GenerationStats): number | null {
  return stats.outputTokens > 1 && stats.decodeNs > 0 ? ((stats.outputTokens - 1) * 1e9) / stats.decodeNs : null;
}

/** One token of an answer as the token inspector shows it. Log-probabilities are natural, before temperature. */
export interface TokenDetail {
  /** What it added to the text; '' where it ends inside a character. */
  readonly text: string;
  readonly logprob: number;
  /** The likeliest tokens at its place, the likeliest first. */
  readonly top: readonly { readonly token: number; readonly text: string; readonly logprob: number }[];
}
