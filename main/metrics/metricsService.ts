/** Every answer measured: histograms of this session, records on disk, what moved since the last version. */
import { freemem, totalmem } from 'node:os';
import process from 'node:process';

import type { EngineStatus, GenerationStats, LoadedModel, Message } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { ParsedRequest } from '../contract/ipc.ts';
import { goodput } from '../contract/metrics.ts';
import type {
  AnswerRecord,
  Environment,
  MetricsOverview,
  Microscope,
  Roofline,
  SeriesName,
  Startup,
  SystemSample,
} from '../contract/metrics.ts';
import type { EngineService, GenerateResult } from '../engine/engineApi.ts';
import type { Log } from '../log.ts';
import { anatomyOf, worstTokens } from './answerFigures.ts';
import { environmentOf } from './environment.ts';
import type { Build } from './environment.ts';
import { HdrHistogram } from './hdrHistogram.ts';
import type { MetricsStore } from './metricsStore.ts';
import { lookClosely } from './microscope.ts';
import { findRegression } from './regression.ts';
import { rooflineAt } from './roofline.ts';
import type { StartupClock } from './startupClock.ts';
import { Timeline, clockOffsetMs } from './timeline.ts';

export interface MetricsOptions {
  readonly engine: EngineService;
  readonly store: MetricsStore;
  readonly startup: StartupClock;
  readonly log: Log;
  /** Known once the engine's file was read. */
  readonly build: () => Promise<Build>;
  readonly now?: () => number;
}

/** Sensors are read about once a second; after a longer pause nothing is known of the time between. */
const longestBetweenSamplesMs = 3000;
/** Goodput is of so many newest answers of this session. */
const goodputAnswers = 200;

export class MetricsService {
  readonly timeline = new Timeline();
  readonly #options: MetricsOptions;
  readonly #now: () => number;
  readonly #session: Readonly<Record<SeriesName, HdrHistogram>> = {
    ttft: new HdrHistogram(),
    ttst: new HdrHistogram(),
    itl: new HdrHistogram(),
    ipc: new HdrHistogram(),
    paint: new HdrHistogram(),
  };
  readonly #recent: GenerationStats[] = [];
  readonly #recordIds = new WeakMap<GenerationStats, number>();
  readonly #stopWatching: () => void;
  #environment: Environment | null = null;
  // Settles when the loaded model's environment is known, or cannot be.
  #described: Promise<void> = Promise.resolve();
  #describing: LoadedModel | null = null;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#stopWatching = this.timeline.watchGarbageCollection();
  }

  /** To be told of every change of the engine's status. */
  onStatus(status: EngineStatus): void {
    this.#options.startup.onStatus(status);
    const isShared = status.state === 'ready' && status.running + status.queued > 1;
    this.timeline.observe('request', isShared, Infinity);
    if (status.state !== 'ready') {
      this.#environment = null;
      this.#describing = null;
    } else if (this.#environment === null && this.#describing !== status.model) {
      this.#describing = status.model;
      this.#described = this.#describe(status.model).catch((error: unknown) =>
        this.#options.log.error('metrics.environment', error),
      );
    }
  }

  /** To be told of everything the engine generated. Never throws: a measurement must not cost an answer. */
  onGenerated(result: GenerateResult, engineNowNs: number): void {
    try {
      this.#record(result, clockOffsetMs(engineNowNs));
    } catch (error) {
      this.#options.log.error('metrics.record', error);
    }
  }

  /** Ties the measurement of an answer to its message. */
  onAnswered({ id, stats }: Message): void {
    const recordId = stats === null ? undefined : this.#recordIds.get(stats);
    if (recordId === undefined) return;
    try {
      this.#options.store.attach(recordId, id);
    } catch (error) {
      this.#options.log.error('metrics.attach', error);
    }
  }

  overview(): MetricsOverview {
    const current = this.#environment;
    const medians = current === null ? [] : this.#options.store.medians();
    const own = medians.find(({ environment }) => environment.hash === current?.hash);
    const { ttft, ttst, itl, ipc, paint } = this.#session;
    return {
      environment: current,
      session: {
        ttft: ttft.summary(),
        ttst: ttst.summary(),
        itl: itl.summary(),
        ipc: ipc.summary(),
        paint: paint.summary(),
      },
      goodputTokensPerSecond: goodput(this.#recent),
      regression: own === undefined ? null : findRegression(own, medians),
    };
  }

  answers({ limit }: ParsedRequest<'metrics.answers'>): readonly AnswerRecord[] {
    return this.#options.store.list(limit);
  }

  answer({ messageId }: ParsedRequest<'metrics.answer'>): AnswerRecord | null {
    return this.#options.store.ofMessage(messageId);
  }

  /** What the page saw of an answer that has ended. */
  page({ messageId, ipcNs, paintNs }: ParsedRequest<'metrics.page'>): null {
    const summary = (name: 'ipc' | 'paint', values: readonly number[]) => {
      const histogram = new HdrHistogram();
      for (const value of values) {
        histogram.record(value);
        this.#session[name].record(value);
      }
      return histogram.percentiles();
    };
    const series = { ipcNs: summary('ipc', ipcNs), paintNs: summary('paint', paintNs) };
    this.#options.store.addPageSeries(messageId, series);
    return null;
  }

  /** Memory, CPU time and the GPU's sensors, now. Asked for by whoever shows them; nothing is sampled otherwise. */
  async sample(): Promise<SystemSample> {
    const { status } = this.#options.engine;
    const isGpu = status.state === 'ready' && status.model.device === 'cuda';
    const index = isGpu ? status.model.deviceIndex : 0;
    const { sample, reason } = await this.#options.engine.sampleGpu(index);
    this.timeline.observe('throttle', (sample?.throttle ?? []).length > 0, longestBetweenSamplesMs);
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    return {
      at: this.#now(),
      residentBytes: rss,
      heapBytes: heapUsed,
      hostFreeBytes: freemem(),
      hostTotalBytes: totalmem(),
      cpuNs: 1000 * (user + system),
      gpu: sample,
      gpuReason: reason,
    };
  }

  roofline({ contextPositions }: ParsedRequest<'metrics.roofline'>): Promise<Roofline> {
    return rooflineAt(this.#options.engine, contextPositions);
  }

  microscope({ tokens }: ParsedRequest<'metrics.microscope'>): Promise<Microscope> {
    return lookClosely(this.#options.engine, tokens);
  }

  startups({ limit }: ParsedRequest<'metrics.startups'>): readonly Startup[] {
    return this.#options.startup.list(limit);
  }

  startupMarks({ marks, agoMs }: ParsedRequest<'metrics.startupMarks'>): null {
    this.#options.startup.pageMarks(marks, agoMs);
    return null;
  }

  /** Of the loaded model. Throws NO_MODEL without one. */
  async environment(): Promise<Environment> {
    await this.#described;
    if (this.#environment === null) throw new AppError('NO_MODEL', 'No model is loaded. Choose one first.');
    return this.#environment;
  }

  dispose(): void {
    this.#stopWatching();
  }

  async #describe(model: LoadedModel): Promise<void> {
    const [build, report] = await Promise.all([this.#options.build(), this.#options.engine.devices()]);
    const { status } = this.#options.engine;
    // Another model may have come meanwhile.
    if (status.state !== 'ready' || status.model !== model) return;
    const environment = environmentOf(build, model, report);
    this.#options.store.rememberEnvironment(environment, this.#now());
    this.#environment = environment;
  }

  #record({ stats, tokens, detokeniseNs }: GenerateResult, offsetMs: number): void {
    if (tokens.length === 0) return;
    const { ttft, ttst, itl } = this.#session;
    const firstNs = tokens[0]?.stampNs ?? 0;
    const secondNs = tokens[1]?.stampNs;
    const ttstNs = secondNs === undefined ? null : stats.ttftNs + secondNs - firstNs;
    ttft.record(stats.ttftNs);
    if (ttstNs !== null) ttst.record(ttstNs);
    for (let i = 1; i < tokens.length; i += 1) {
      itl.record((tokens[i]?.stampNs ?? 0) - (tokens[i - 1]?.stampNs ?? 0));
    }
    this.#recent.push(stats);
    if (this.#recent.length > goodputAnswers) this.#recent.shift();
    if (this.#environment === null) return;
    const toMs = (ns: number): number => ns / 1e6 + offsetMs;
    const id = this.#options.store.add({
      at: this.#now(),
      environment: this.#environment.hash,
      stats,
      ttstNs,
      anatomy: anatomyOf(tokens),
      detokeniseNs: detokeniseNs === undefined ? null : detokeniseNs / tokens.length,
      worst: worstTokens(tokens, (fromNs, untilNs) => this.timeline.during(toMs(fromNs), toMs(untilNs))),
    });
    this.#recordIds.set(stats, id);
  }
}
