/** The engine's states and its queue; what one run does is in generation.ts. Knows no shell, no network, no chat. */
import type { DeviceReport, EngineStatus, LoadedModel, LoadRequest, PromptFormat } from '../contract/domain.ts';
import { AppError, assertNever } from '../contract/errors.ts';
import type { DeviceLimits, GpuSample, Stage } from '../contract/metrics.ts';
import { loadAddon } from './addon.ts';
import type { Addon } from './addon.ts';
import type { EngineService, GenerateRequest, GenerateResult, Prompt, PromptMessage, Tokenizer } from './engineApi.ts';
import { toAppError } from './engineError.ts';
import { cancelledResult, generate } from './generation.ts';
import { MeasuredLimits } from './measuredLimits.ts';
import { openModel } from './openModel.ts';
import type { EngineServiceOptions, Loaded } from './openModel.ts';
import { buildPrompt, checkPrompt, checkRoom } from './prompt.ts';
import { RunQueue } from './runQueue.ts';

const maxWaiting = 128;
/** Sequences that were made for many requests at once go when there are none for so long. */
const shrinkAfterMs = 60_000;
const empty: EngineStatus = { state: 'empty', lastError: null };

function loadingStatus(request: LoadRequest): EngineStatus {
  return { state: 'loading', request, phase: 'reading', doneBytes: 0, totalBytes: 0 };
}

class NativeEngineService implements EngineService {
  readonly #options: EngineServiceOptions;
  readonly #listeners = new Set<(status: EngineStatus) => void>();
  readonly #limits = new MeasuredLimits();
  readonly #queue = new RunQueue(maxWaiting, () => this.#publishCounts());
  #status: EngineStatus = empty;
  #addon: Addon | null = null;
  #loaded: Loaded | null = null;
  // Of the latest load, from the call on.
  #loadAbort = new AbortController();
  // Loads and unloads, one after another.
  #change: Promise<unknown> = Promise.resolve();
  #memoryBandwidth: Promise<number> | null = null;
  #shrinkTimer: NodeJS.Timeout | null = null;
  #isDisposed = false;

  constructor(options: EngineServiceOptions) {
    this.#options = options;
  }

  get status(): EngineStatus {
    return this.#status;
  }

  onStatus(listener: (status: EngineStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async devices(): Promise<DeviceReport> {
    return this.#native().devices();
  }

  memoryBandwidth(): Promise<number> {
    return (this.#memoryBandwidth ??= this.#native().readBandwidth());
  }

  load(request: LoadRequest): Promise<LoadedModel> {
    this.cancelLoad();
    const abort = new AbortController();
    this.#loadAbort = abort;
    this.#loaded?.closing.abort();
    this.#setStatus(loadingStatus(request));
    return this.#afterChanges(async () => {
      await this.#release();
      return this.#load(request, abort.signal);
    });
  }

  cancelLoad(): void {
    this.#loadAbort.abort();
  }

  unload(): Promise<void> {
    this.cancelLoad();
    return this.#afterChanges(async () => {
      await this.#release();
      this.#setStatus(empty);
    });
  }

  tokenizer(): Tokenizer {
    const { tokenizer } = this.#ready();
    if (tokenizer instanceof AppError) throw tokenizer;
    return tokenizer;
  }

  prompt(messages: readonly PromptMessage[], format: PromptFormat): Prompt {
    const { model, answers } = this.#ready();
    const prompt = buildPrompt(messages, format, this.tokenizer(), answers);
    checkRoom(prompt, model);
    return prompt;
  }

  async generate(request: GenerateRequest): Promise<GenerateResult> {
    const loaded = this.#ready();
    const addon = this.#native();
    const submittedNs = addon.nowNs();
    const tokenizer = this.tokenizer();
    checkPrompt(request.prompt, loaded.model);
    const signals = request.signal ? [request.signal, loaded.closing.signal] : [loaded.closing.signal];
    const signal = AbortSignal.any(signals);
    const { model, sequences, answers } = loaded;
    const run = async (): Promise<GenerateResult> => {
      const sequence = sequences.take(request.prompt);
      try {
        return await generate(request, { ...sequence, addon, model, tokenizer, signal, submittedNs });
      } finally {
        sequences.give(sequence);
      }
    };
    // What is measured has the engine to itself.
    const alone = request.trace === true || request.isMeasurement === true;
    try {
      const turn = this.#queue.run(signal, run, { alone });
      if (this.#queue.queued > 0) this.#makeRoom(loaded);
      const generation = await turn;
      const isCut = generation === null || generation.stats.finishReason === 'cancelled';
      if (isCut && request.signal?.aborted !== true) this.#checkNotLost(loaded);
      if (generation === null) return cancelledResult(request, model, addon.nowNs() - submittedNs);
      if (!request.ignoreEnd) answers.remember(request.prompt.tokens, generation.text, generation.textTokens);
      const isAnswer = request.isMeasurement !== true && request.sampling.maxNewTokens > 0;
      if (isAnswer) this.#options.onGenerated?.(generation, addon.nowNs());
      return generation;
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'DEVICE_LOST') this.#lose(loaded, error);
      if (error.code === 'INTERNAL') this.#options.log?.error('generation', error);
      throw error;
    }
  }

  stages(contextPositions: number): readonly Stage[] {
    return this.#ready().native.stages(contextPositions);
  }

  async sampleGpu(deviceIndex: number): Promise<{ sample: GpuSample | null; reason: string | null }> {
    return this.#native().sampleGpu(deviceIndex);
  }

  async limits(): Promise<DeviceLimits | null> {
    const loaded = this.#ready();
    const isIdle = this.#queue.running + this.#queue.queued === 0;
    const measure = () => this.#queue.run(loaded.closing.signal, () => loaded.native.limits(), { alone: true });
    return this.#limits.of(loaded.model, isIdle ? measure : null);
  }

  async probe(): Promise<void> {
    const loaded = this.#loaded;
    // A run that is under way finds out by itself.
    if (loaded === null || loaded.closing.signal.aborted || this.#queue.running > 0) return;
    try {
      await this.#queue.run(loaded.closing.signal, () => loaded.sequences.probe(), { alone: true });
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'DEVICE_LOST') this.#lose(loaded, error);
      else this.#options.log?.error('probe', error);
    }
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await this.unload();
  }

  #afterChanges<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#change.then(change);
    this.#change = result.catch(() => undefined);
    return result;
  }

  async #load(request: LoadRequest, signal: AbortSignal): Promise<LoadedModel> {
    try {
      const loaded = await this.#open(request, signal);
      this.#loaded = loaded;
      this.#setStatus({ state: 'ready', model: loaded.model, running: 0, queued: 0 });
      const { device, format, contextPositions, loadNs, weightsFrom } = loaded.model;
      const loadMs = Math.round(loadNs / 1e6);
      this.#options.log?.info('model loaded', { device, format, contextPositions, weightsFrom, loadMs });
      const notice = loaded.native.info.cacheNotice;
      if (notice !== '') this.#options.log?.info('weight cache', { notice });
      return loaded.model;
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'INTERNAL') this.#options.log?.error('load', error);
      // A load that came after this one has the say.
      if (this.#loadAbort.signal === signal) {
        this.#setStatus({ state: 'empty', lastError: error.code === 'CANCELLED' ? null : error.info });
      }
      throw error;
    }
  }

  async #open(request: LoadRequest, signal: AbortSignal): Promise<Loaded> {
    if (this.#isDisposed) throw new AppError('NO_MODEL', 'The engine has been shut down.');
    const loaded = await openModel(this.#native(), this.#options, request, signal, (progress) => {
      if (!signal.aborted) this.#setStatus({ state: 'loading', request, ...progress });
    });
    this.#queue.setCapacity(loaded.sequences.count);
    return loaded;
  }

  /** Stops what runs, and gives the model back. */
  async #release(): Promise<void> {
    const loaded = this.#loaded;
    if (loaded === null) return;
    loaded.closing.abort();
    await this.#queue.whenIdle();
    await loaded.sequences.settle().catch((error: unknown) => this.#options.log?.error('states', error));
    this.#discard(loaded);
  }

  #discard(loaded: Loaded): void {
    if (this.#loaded === loaded) this.#loaded = null;
    loaded.pool.clear();
    loaded.sequences.dispose();
    loaded.native.dispose();
  }

  /** The device may be lost under another answer: this one ended with it, and nobody stopped it. */
  #checkNotLost(loaded: Loaded): void {
    if (this.#loaded !== loaded && this.#status.state === 'lost') {
      throw new AppError('DEVICE_LOST', this.#status.error.message);
    }
  }

  /** The GPU is gone. Nothing goes on elsewhere by itself: loading again is the user's decision. */
  #lose(loaded: Loaded, error: AppError): void {
    if (this.#loaded !== loaded) return;
    loaded.closing.abort();
    this.#discard(loaded);
    this.#options.log?.error('device lost', error);
    this.#setStatus({ state: 'lost', request: loaded.request, error: error.info });
  }

  #ready(): Loaded {
    const loaded = this.#loaded;
    if (loaded !== null && !loaded.closing.signal.aborted) return loaded;
    switch (this.#status.state) {
      case 'loading':
        throw new AppError('MODEL_LOADING', 'The model is still loading. Try again in a moment.', { retryable: true });
      case 'lost':
        throw new AppError('DEVICE_LOST', this.#status.error.message);
      case 'ready':
      case 'empty':
        throw new AppError('NO_MODEL', 'No model is loaded. Choose one first.');
      default:
        return assertNever(this.#status);
    }
  }

  #native(): Addon {
    this.#addon ??= loadAddon();
    return this.#addon;
  }

  /** A sequence for everyone who waits, as far as there is room. */
  #makeRoom(loaded: Loaded): void {
    const grow = async (): Promise<void> => {
      while (
        this.#queue.queued > 0 &&
        !loaded.closing.signal.aborted &&
        (await loaded.sequences.grow(this.#queue.queued))
      ) {
        if (this.#loaded === loaded) this.#queue.setCapacity(loaded.sequences.count);
      }
    };
    grow().catch((error: unknown) => this.#options.log?.error('sequences', error));
  }

  #shrinkLater(): void {
    if (this.#shrinkTimer !== null) clearTimeout(this.#shrinkTimer);
    this.#shrinkTimer = null;
    if (this.#queue.running > 0 || (this.#loaded?.sequences.count ?? 0) <= 1) return;
    this.#shrinkTimer = setTimeout(() => {
      this.#loaded?.sequences.shrink();
      this.#queue.setCapacity(1);
    }, shrinkAfterMs).unref();
  }

  #publishCounts(): void {
    this.#shrinkLater();
    if (this.#status.state !== 'ready') return;
    this.#setStatus({ ...this.#status, running: this.#queue.running, queued: this.#queue.queued });
  }

  #setStatus(status: EngineStatus): void {
    this.#status = status;
    for (const listener of this.#listeners) listener(status);
  }
}

export function createEngineService(options: EngineServiceOptions = {}): EngineService {
  return new NativeEngineService(options);
}
