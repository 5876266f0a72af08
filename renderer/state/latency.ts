/**
 * Timings of the answers of this session. Three series that are never mixed: the engine's own stamps, the way to the
 * page (IPC), and the way to the screen (paint). Per-token data stays out of React: charts read the series directly.
 */
import { create } from 'zustand';

import type { Percentiles, TokenTiming } from '../../main/contract/domain.ts';
import type { Regression } from '../../main/contract/metrics.ts';
import { request } from '../bridge.ts';
import { Series } from './series.ts';

export class AnswerTimings {
  /** Engine: gaps between consecutive tokens, ns. */
  readonly itlNs = new Series();
  /** Publishing in main to receiving in the page, ns, per frame. */
  readonly ipcNs = new Series();
  /** Receiving in the page to the frame on screen, ns, per frame. */
  readonly paintNs = new Series();
  tokens = 0;
  #firstNs = 0;
  #lastNs = 0;

  addToken({ stampNs }: TokenTiming): void {
    if (this.tokens === 0) this.#firstNs = stampNs;
    else this.itlNs.push(stampNs - this.#lastNs);
    this.#lastNs = stampNs;
    this.tokens += 1;
  }

  /** Tokens per second after the first, by the engine's clock; null with fewer than two. */
  tokensPerSecond(): number | null {
    const spanNs = this.#lastNs - this.#firstNs;
    return this.tokens > 1 && spanNs > 0 ? ((this.tokens - 1) * 1e9) / spanNs : null;
  }
}

/** What the line under a streaming answer shows; renewed a few times a second. */
export interface LiveSummary {
  readonly tokens: number;
  readonly tokensPerSecond: number | null;
  readonly itlNs: Percentiles | null;
}

export interface LatencyState {
  /** By message id. */
  readonly live: Readonly<Record<string, LiveSummary>>;
  /** Renewed with the summaries, so that open charts know when to look again. */
  readonly version: number;
  /** Renewed when main has a new record of an answer, or more of one. */
  readonly records: number;
  /** Answers became slower or faster than before the app or the driver changed, and nobody has closed the notice. */
  readonly moved: Regression | null;
}

export const useLatency = create<LatencyState>()(() => ({ live: {}, version: 0, records: 0, moved: null }));

const painters = new Set<() => void>();

/** Called once per animation frame that brought tokens, before it is painted; ended by what it returns. */
export function onTokensShown(paint: () => void): () => void {
  painters.add(paint);
  return () => void painters.delete(paint);
}

export const tokensShown = (): void => painters.forEach((paint) => paint());

const keptAnswers = 12;
const answers = new Map<string, AnswerTimings>();

function timingsFor(messageId: string): AnswerTimings {
  const known = answers.get(messageId);
  if (known !== undefined) return known;
  const fresh = new AnswerTimings();
  answers.set(messageId, fresh);
  if (answers.size > keptAnswers) {
    const oldest = answers.keys().next().value;
    if (oldest !== undefined) answers.delete(oldest);
  }
  return fresh;
}

/** Of the newest answer of this session that had at least a few tokens; null when there was none. */
export function lastMeasuredSpeed(): number | null {
  const records = [...answers.values()].reverse();
  return records.find((record) => record.tokens >= 8)?.tokensPerSecond() ?? null;
}

/** What is known of an answer in this session; null when nothing was seen of it. */
export const seenTimings = (messageId: string): AnswerTimings | null => answers.get(messageId) ?? null;

/** A new run on a message begins a new record: gaps across a pause are not token latencies. */
export const forgetTimings = (messageId: string): void => void answers.delete(messageId);

export function recordFrame(messageId: string, timings: readonly TokenTiming[], ipcMs: number): void {
  const record = timingsFor(messageId);
  for (const timing of timings) record.addToken(timing);
  record.ipcNs.push(Math.max(0, ipcMs * 1e6));
}

export function recordPaint(messageId: string, paintMs: number): void {
  answers.get(messageId)?.paintNs.push(Math.max(0, paintMs * 1e6));
}

/** Renews the summaries of the answers being generated. */
export function publishLive(messageIds: readonly string[]): void {
  const live: Record<string, LiveSummary> = {};
  for (const id of messageIds) {
    const record = answers.get(id);
    if (record === undefined) continue;
    live[id] = {
      tokens: record.tokens,
      tokensPerSecond: record.tokensPerSecond(),
      itlNs: record.itlNs.histogram.percentiles(),
    };
  }
  useLatency.setState((state) => ({ live, version: state.version + 1 }));
}

/** The engine's gaps of an answer: from this session, else from the store. */
export async function gapsOf(messageId: string): Promise<Float64Array> {
  const seen = answers.get(messageId);
  if (seen !== undefined && seen.itlNs.total > 0) return seen.itlNs.values();
  const timings = await request('chat.timings', { messageId });
  const gaps = new Float64Array(Math.max(0, timings.length - 1));
  for (let i = 1; i < timings.length; i += 1) {
    gaps[i - 1] = (timings[i]?.stampNs ?? 0) - (timings[i - 1]?.stampNs ?? 0);
  }
  return gaps;
}

/** Hands what the page saw of a finished answer to main, which keeps it with the engine's figures. */
export async function reportPageSeries(messageId: string): Promise<void> {
  const record = answers.get(messageId);
  if (record !== undefined) {
    const series = { ipcNs: [...record.ipcNs.values()], paintNs: [...record.paintNs.values()] };
    // A measurement that is lost costs no answer; the page says "not seen" then.
    await request('metrics.page', { messageId, ...series }).catch(() => null);
  }
  useLatency.setState((state) => ({ records: state.records + 1 }));
  await request('metrics.overview', {}).then(
    ({ regression }) => useLatency.setState({ moved: regression === null || isClosed(regression) ? null : regression }),
    // The latency page asks again, and says why it cannot tell.
    () => undefined,
  );
}

const closedKey = 'nemoflash.movedClosed';
/** A notice is about two environments; closed, it stays closed for them. */
const keyOf = ({ before, after }: Regression): string => `${before.hash} ${after.hash}`;
const isClosed = (regression: Regression): boolean => localStorage.getItem(closedKey) === keyOf(regression);

export function closeMoved(regression: Regression): void {
  localStorage.setItem(closedKey, keyOf(regression));
  useLatency.setState({ moved: null });
}
