/** An engine whose answers are written by the test: each generate() waits until the test feeds and ends it. */
import { defaultSampling } from '../../../main/contract/domain.ts';
import type { FinishReason, GenerationStats } from '../../../main/contract/domain.ts';
import { AppError } from '../../../main/contract/errors.ts';
import type {
  EngineService,
  GeneratedToken,
  GenerateRequest,
  GenerateResult,
  Prompt,
  PromptMessage,
} from '../../../main/engine/engineApi.ts';

export function fakeStats(outputTokens: number, finishReason: FinishReason): GenerationStats {
  return {
    promptTokens: 5,
    reusedTokens: 2,
    prefillNs: 3_000_000,
    ttftNs: 4_000_000,
    queueNs: 10_000,
    outputTokens,
    decodeNs: 1_000_000 * Math.max(0, outputTokens - 1),
    itlNs: outputTokens > 1 ? { p50: 1_000_000, p95: 1_100_000, p99: 1_200_000, max: 1_300_000 } : null,
    finishReason,
    seed: defaultSampling.seed ?? 7,
    device: 'cpu',
    format: 'f32',
  };
}

/** One call of generate(), in the hands of the test. */
export class FakeGeneration {
  readonly request: GenerateRequest;
  readonly result: Promise<GenerateResult>;
  readonly #settle: PromiseWithResolvers<GenerateResult>;
  #text = '';
  #tokens: GeneratedToken[] = [];

  constructor(request: GenerateRequest) {
    this.request = request;
    this.#settle = Promise.withResolvers();
    this.result = this.#settle.promise;
    request.signal?.addEventListener('abort', () => this.finish('cancelled'));
  }

  /** One frame of one token. */
  feed(text: string): void {
    const stampNs = 1_000_000 * (this.#tokens.length + 1);
    const token = { token: 1, logprob: -1, top: [], stampNs, forwardNs: 800_000, sampleNs: 20_000 };
    this.#text += text;
    this.#tokens.push(token);
    this.request.onFrame?.({ text, tokens: [token] });
  }

  prefill(doneTokens: number, totalTokens: number): void {
    this.request.onPrefill?.({ doneTokens, totalTokens, reusedTokens: 2, elapsedNs: 1000 });
  }

  finish(reason: FinishReason = 'stop'): void {
    const tokens = this.#tokens;
    const textTokens = Int32Array.from(tokens, ({ token }) => token);
    this.#settle.resolve({ text: this.#text, tokens, textTokens, stats: fakeStats(tokens.length, reason) });
  }

  fail(error: unknown): void {
    this.#settle.reject(error);
  }
}

export class FakeEngine implements EngineService {
  readonly generations: FakeGeneration[] = [];
  readonly prompts: (readonly PromptMessage[])[] = [];
  /** Thrown by prompt() when set. */
  promptError: AppError | null = null;

  readonly status = { state: 'empty', lastError: null } as const;

  get last(): FakeGeneration {
    const generation = this.generations.at(-1);
    if (!generation) throw new Error('nothing was generated yet');
    return generation;
  }

  onStatus(): () => void {
    return () => undefined;
  }

  prompt(messages: readonly PromptMessage[]): Prompt {
    if (this.promptError) throw this.promptError;
    this.prompts.push(messages);
    return { tokens: Int32Array.of(1, 2, 3), boundaries: [3] };
  }

  generate(request: GenerateRequest): Promise<GenerateResult> {
    const generation = new FakeGeneration(request);
    this.generations.push(generation);
    return generation.result;
  }

  devices = () => Promise.reject(new AppError('UNSUPPORTED', 'not in this fake'));
  memoryBandwidth = () => Promise.reject(new AppError('UNSUPPORTED', 'not in this fake'));
  load = () => Promise.reject(new AppError('UNSUPPORTED', 'not in this fake'));
  cancelLoad = () => undefined;
  unload = () => Promise.resolve();
  tokenizer = (): never => {
    throw new AppError('NO_MODEL', 'not in this fake');
  };
  stages = () => [];
  limits = () => Promise.resolve(null);
  sampleGpu = () => Promise.resolve({ sample: null, reason: 'none here' });
  probe = () => Promise.resolve();
  dispose = () => Promise.resolve();
}
