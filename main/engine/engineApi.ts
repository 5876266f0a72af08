/** What the engine service offers its callers (chat, server, command line, benchmarks). Types only. */
import type {
  DeviceReport,
  EngineStatus,
  GenerationStats,
  LoadedModel,
  LoadRequest,
  PromptFormat,
  SamplingOptions,
  TokenTiming,
} from '../contract/domain.ts';
import type { ClassTimes, DeviceLimits, GpuSample, Stage } from '../contract/metrics.ts';

export interface PromptMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
  /** What an answer was made of. Used where it decodes to exactly the content, so that nothing is read twice. */
  readonly tokens?: Int32Array;
}

/** A prompt as token ids, without memory tokens. */
export interface Prompt {
  readonly tokens: Int32Array;
  /** Counts of tokens after which a checkpoint is worth keeping: message boundaries, ascending, the last one before the
   * assistant header so that it survives an edit of what follows. */
  readonly boundaries: readonly number[];
  /** It will go on or be changed before it is answered: its own end is worth no checkpoint, the way back is. */
  readonly isDraft?: boolean;
}

export interface TokenLogprob {
  readonly token: number;
  readonly logprob: number;
}

export interface GeneratedToken extends TokenTiming {
  readonly token: number;
  readonly logprob: number;
  readonly top: readonly TokenLogprob[];
  /** Absent where the device cannot tell without being slowed. */
  readonly classNs?: ClassTimes;
}

export interface Frame {
  /** Text that became certain since the last frame: never half a character, never the start of a stop string. */
  readonly text: string;
  readonly tokens: readonly GeneratedToken[];
}

export interface NextTokens {
  /** Tokens that come next in any case: nobody has to ask the model for them. */
  readonly forced: readonly number[];
  /** Of the token behind those: bit i % 32 of word i >> 5 says whether i is allowed. null: nothing but the end. */
  readonly allowed: Int32Array | null;
}

/** Restricts what may come next, token by token, as a grammar does. The engine waits for it before each token. */
export interface TokenConstraint {
  /** What may follow, told the tokens that were taken since the last call; the forced ones count as taken. */
  next(taken: readonly number[], maxForced: number): Promise<NextTokens>;
  dispose(): void;
}

export interface GenerateRequest {
  readonly prompt: Prompt;
  /** With a maxNewTokens of 0 the prompt is only read, and kept for whoever asks it next. */
  readonly sampling: SamplingOptions;
  /** Alternatives reported per token, 0 to 20. */
  readonly logprobs?: number;
  /** Added to the logits of these tokens, -100 to 100. */
  readonly logitBias?: readonly (readonly [token: number, bias: number])[];
  /** Goes on past end tokens, to maxNewTokens. */
  readonly ignoreEnd?: boolean;
  /** Any of these ends the answer before itself. */
  readonly stopTokens?: readonly number[];
  /** Owned by the caller. */
  readonly constraint?: TokenConstraint;
  /** Times every stage of every token, which slows them: for looking closely at one answer. */
  readonly trace?: boolean;
  /** Not to be counted among the answers, and to be made with nothing beside it. */
  readonly isMeasurement?: boolean;
  readonly signal?: AbortSignal;
  readonly onPrefill?: (progress: {
    readonly doneTokens: number;
    readonly totalTokens: number;
    readonly reusedTokens: number;
    readonly elapsedNs: number;
  }) => void;
  readonly onFrame?: (frame: Frame) => void;
}

export interface GenerateResult {
  readonly text: string;
  readonly tokens: readonly GeneratedToken[];
  /** Tokens that decode to exactly `text`: the sampled ones as far as that goes. */
  readonly textTokens: Int32Array;
  /** A stop ends with finishReason 'cancelled' and what was generated so far; it does not throw. */
  readonly stats: GenerationStats;
  /** Spent in main on turning all tokens into text, nanoseconds; absent when none was turned. */
  readonly detokeniseNs?: number;
  /** Of a traced request: the median of each stage, in the order of stages(). */
  readonly stageNs?: readonly number[];
}

export interface Tokenizer {
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): Int32Array;
  decode(tokens: readonly number[] | Int32Array): string;
  /** The bytes one token stands for; they need not be whole characters. */
  bytes(token: number): Uint8Array;
  readonly endTokens: readonly number[];
}

export interface EngineService {
  readonly status: EngineStatus;
  onStatus(listener: (status: EngineStatus) => void): () => void;
  devices(): Promise<DeviceReport>;
  /** Bytes per second that all cores read from this computer's memory: measured at the first call, then remembered. */
  memoryBandwidth(): Promise<number>;
  /** Replaces the loaded model. Throws AppError; the status then says empty (with lastError) or lost. */
  load(request: LoadRequest): Promise<LoadedModel>;
  cancelLoad(): void;
  unload(): Promise<void>;
  /** Throws NO_MODEL, TOKENIZER_MISSING. */
  tokenizer(): Tokenizer;
  /** Throws CONTEXT_FULL with the numbers when it leaves no room for an answer. */
  prompt(messages: readonly PromptMessage[], format: PromptFormat): Prompt;
  /** Several at a time, as memory permits; further ones queue, first come first served, bounded (BUSY). Reuses the longest checkpoint that is a prefix of the prompt. */
  generate(request: GenerateRequest): Promise<GenerateResult>;
  /** The stages of one decode step with so many positions in the cache. Throws NO_MODEL. */
  stages(contextPositions: number): readonly Stage[];
  /** Measured once for a device, model and format, when nothing runs; null while something does. Throws NO_MODEL. */
  limits(): Promise<DeviceLimits | null>;
  /** Clocks, power and memory of the GPU that CUDA knows by this number; without one, why. */
  sampleGpu(deviceIndex: number): Promise<{ readonly sample: GpuSample | null; readonly reason: string | null }>;
  /**
   * After a sleep or a driver's reset: whether the device still holds the model. When it does not, the status says lost.
   * Never rejects.
   */
  probe(): Promise<void>;
  /** Stops everything, waits for the engine thread. Idempotent. */
  dispose(): Promise<void>;
}
