/**
 * The words of the product: plain types, and the single home of ranges and defaults. Imports nothing but error types.
 * Times are integers of nanoseconds, sizes bytes, dates milliseconds since 1970, unless a name says otherwise.
 */
import type { ErrorInfo } from './errors.ts';

// ---------------------------------------------------------------- sampling

export interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly default: number;
}

/** Defaults are those of the generate functions released with the models. */
export const samplingRanges = {
  temperature: { min: 0, max: 2, step: 0.05, default: 1 },
  topK: { min: 0, max: 1000, step: 1, default: 0 },
  topP: { min: 0.01, max: 1, step: 0.01, default: 0.9 },
  minP: { min: 0, max: 1, step: 0.01, default: 0 },
  repetitionPenalty: { min: 0.5, max: 2, step: 0.01, default: 1 },
  frequencyPenalty: { min: -2, max: 2, step: 0.05, default: 0 },
  presencePenalty: { min: -2, max: 2, step: 0.05, default: 0 },
  maxNewTokens: { min: 1, max: 32768, step: 1, default: 1024 },
} as const satisfies Record<string, NumberRange>;

export type SamplingNumber = keyof typeof samplingRanges;

export const logprobsRange = { min: 0, max: 20, step: 1, default: 0 } as const satisfies NumberRange;
export const maxSeed = 4294967295;
export const maxStopStrings = 16;
export const maxStopLength = 200;
export const maxMessageChars = 4_000_000;

export const promptFormats = ['model-card', 'raw'] as const;
/** model-card: "User: …\nAssistant:". raw: the contents and nothing else, as trtllm-serve does for this model. */
export type PromptFormat = (typeof promptFormats)[number];

export interface SamplingOptions {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  readonly maxNewTokens: number;
  /** null: a fresh one for every answer, reported with it. */
  readonly seed: number | null;
  readonly stop: readonly string[];
  readonly promptFormat: PromptFormat;
}

export const defaultSampling: SamplingOptions = {
  temperature: samplingRanges.temperature.default,
  topK: samplingRanges.topK.default,
  topP: samplingRanges.topP.default,
  minP: samplingRanges.minP.default,
  repetitionPenalty: samplingRanges.repetitionPenalty.default,
  frequencyPenalty: samplingRanges.frequencyPenalty.default,
  presencePenalty: samplingRanges.presencePenalty.default,
  maxNewTokens: samplingRanges.maxNewTokens.default,
  seed: null,
  stop: [],
  promptFormat: 'model-card',
};

// ---------------------------------------------------------------- engine

export const deviceKinds = ['cpu', 'cuda'] as const;
export type DeviceKind = (typeof deviceKinds)[number];

export const weightFormats = ['f32', 'bf16', 'int8', 'mixed', 'int4'] as const;
export type WeightFormat = (typeof weightFormats)[number];

/** Formats whose made form is kept for the next load. float32 is for measuring. */
export const keptFormats = ['bf16', 'int8', 'mixed', 'int4'] as const satisfies readonly WeightFormat[];
export type KeptFormat = (typeof keptFormats)[number];

/**
 * Formats that the app chooses by itself, the preferred first; docs/quality.md says why. On a CPU, where every token waits
 * for the weights to be read, int8 is about twice as fast as bf16 and loses little.
 */
export const automaticFormats = {
  cuda: ['bf16', 'int8', 'mixed', 'int4'],
  cpu: ['int8', 'mixed', 'int4'],
} as const satisfies Readonly<Record<DeviceKind, readonly WeightFormat[]>>;

export const contextRange = { min: 512, max: 262_144, step: 256, default: 8192 } as const satisfies NumberRange;

export interface DeviceInfo {
  readonly kind: DeviceKind;
  readonly index: number;
  readonly name: string;
  readonly memoryTotalBytes: number;
  readonly memoryFreeBytes: number;
  readonly computeCapability: string | null;
  readonly threads: number | null;
  /** CPU: instruction sets in use; GPU: driver version. */
  readonly features: string;
  /** GPU: of its memory, by clock and width; null for a CPU and where the driver does not tell. */
  readonly nominalBytesPerSecond: number | null;
}

export interface DeviceReport {
  readonly devices: readonly DeviceInfo[];
  /** Why there is no GPU in the list, in a sentence; null when there is one. */
  readonly cudaReason: string | null;
}

export interface LoadedModel {
  /** Id of an installed model, or the synthetic:… name, or the folder it was loaded from. */
  readonly source: string;
  readonly name: string;
  readonly device: DeviceKind;
  readonly deviceIndex: number;
  readonly deviceName: string;
  readonly format: WeightFormat;
  readonly threads: number;
  readonly parameters: number;
  readonly layers: number;
  readonly vocab: number;
  readonly metaTokens: number;
  /** What the model was trained for; null when its config does not say. */
  readonly trainedPositions: number | null;
  /** Positions a conversation may fill, memory tokens included. */
  readonly contextPositions: number;
  readonly weightBytes: number;
  readonly stateBytes: number;
  readonly kvBytesPerPosition: number;
  readonly loadNs: number;
  /** cache: nothing had to be converted, an earlier load kept it. */
  readonly weightsFrom: 'source' | 'cache';
  /** Made-up weights: answers are noise, speed is real. */
  readonly synthetic: boolean;
}

export const loadPhases = ['reading', 'quantising', 'uploading', 'warming', 'saving'] as const;
export type LoadPhase = (typeof loadPhases)[number];

export interface LoadRequest {
  /** Id of an installed model, a folder, or synthetic:NAME. */
  readonly source: string;
  readonly device?: DeviceKind | 'auto' | undefined;
  readonly deviceIndex?: number | undefined;
  readonly format?: WeightFormat | 'auto' | undefined;
  readonly contextPositions?: number | undefined;
  readonly threads?: number | undefined;
}

/** `lost`: the GPU is gone; nothing falls back by itself. */
export type EngineStatus =
  | { readonly state: 'empty'; readonly lastError: ErrorInfo | null }
  | {
      readonly state: 'loading';
      readonly request: LoadRequest;
      readonly phase: LoadPhase;
      readonly doneBytes: number;
      readonly totalBytes: number;
    }
  | { readonly state: 'ready'; readonly model: LoadedModel; readonly running: number; readonly queued: number }
  | { readonly state: 'lost'; readonly request: LoadRequest; readonly error: ErrorInfo };

// ---------------------------------------------------------------- measured answers

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

// ---------------------------------------------------------------- chats

/** One token of an answer as the token inspector shows it. Log-probabilities are natural, before temperature. */
export interface TokenDetail {
  /** What it added to the text; '' where it ends inside a character. */
  readonly text: string;
  readonly logprob: number;
  /** The likeliest tokens at its place, the likeliest first. */
  readonly top: readonly { readonly token: number; readonly text: string; readonly logprob: number }[];
}

export type MessageRole = 'user' | 'assistant';

/** `streaming` is only ever seen on the answer being generated; after a crash it reads as `interrupted`. */
export type MessageStatus = 'complete' | 'streaming' | 'interrupted' | 'failed';

export const contextPolicyKinds = ['stop', 'roll', 'summarise'] as const;

/** What happens when a conversation no longer fits the context. Never decided silently: see ContextCut. */
export interface ContextPolicy {
  /** stop: nothing more is answered. roll: older turns are left out. summarise: and a summary stands in for them. */
  readonly kind: (typeof contextPolicyKinds)[number];
  /** Newest turns kept in full, or fewer where so many do not fit; of no meaning to `stop`. */
  readonly keepTurns: number;
}

export const keepTurnsRange = { min: 1, max: 50, step: 1, default: 6 } as const satisfies NumberRange;
export const defaultContextPolicy: ContextPolicy = { kind: 'stop', keepTurns: keepTurnsRange.default };

/** Where the model's view of a conversation begins. The system prompt is always in it. */
export interface ContextCut {
  /** First message that the model saw. */
  readonly firstId: string;
  readonly droppedMessages: number;
  /** What stood in for those before it; null: nothing. */
  readonly summary: string | null;
}

/** Messages form a tree: siblings are versions of each other, a path from a root to a leaf is a conversation. */
export interface Message {
  readonly id: string;
  readonly chatId: string;
  readonly parentId: string | null;
  readonly role: MessageRole;
  /** The raw text, exactly. */
  readonly content: string;
  readonly createdAt: number;
  readonly status: MessageStatus;
  readonly error: ErrorInfo | null;
  readonly stats: GenerationStats | null;
  /** Of an answer that was given without the whole conversation in view. */
  readonly cut?: ContextCut | undefined;
}

export interface ChatSummary {
  readonly id: string;
  readonly title: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly pinned: boolean;
}

export interface Chat extends ChatSummary {
  readonly systemPrompt: string;
  readonly sampling: SamplingOptions;
  readonly context: ContextPolicy;
  readonly draft: string;
  /** End of the path on display; null for an empty chat. */
  readonly leafId: string | null;
  readonly messages: readonly Message[];
}

export interface SearchHit {
  readonly chatId: string;
  readonly messageId: string | null;
  readonly title: string;
  /** Plain text around the match; matchStart and matchEnd are offsets into it. */
  readonly snippet: string;
  readonly matchStart: number;
  readonly matchEnd: number;
}

// ---------------------------------------------------------------- models

export interface CatalogEntry {
  readonly repo: string;
  readonly name: string;
  readonly kind: 'chat' | 'base';
  readonly parameters: number;
}

/** The published family. Sizes and licence come from the hub when it is asked. */
export const catalog: readonly CatalogEntry[] = [
  {
    repo: 'nvidia/Nemotron-Flash-3B-Instruct',
    name: 'Nemotron-Flash-3B-Instruct',
    kind: 'chat',
    parameters: 2_749_998_624,
  },
  { repo: 'nvidia/Nemotron-Flash-3B', name: 'Nemotron-Flash-3B', kind: 'base', parameters: 2_749_998_624 },
  { repo: 'nvidia/Nemotron-Flash-1B', name: 'Nemotron-Flash-1B', kind: 'base', parameters: 960_000_000 },
];

export interface RepoFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** sha256 in hex for files in LFS, null for small ones. */
  readonly sha256: string | null;
}

export interface FormatForecast {
  readonly format: WeightFormat;
  readonly device: DeviceKind;
  readonly memoryBytes: number;
  readonly memoryFreeBytes: number;
  readonly fits: boolean;
  /** From the bandwidth of the device's memory; null where that is not known. */
  readonly tokensPerSecond: number | null;
}

/** What the hub says of a repository, before anything is fetched. */
export interface RepoDescription {
  readonly repo: string;
  readonly revision: string;
  readonly files: readonly RepoFile[];
  readonly totalBytes: number;
  readonly licence: { readonly id: string; readonly name: string; readonly link: string | null; readonly text: string };
  readonly gated: boolean;
  readonly targetFolder: string;
  readonly freeBytes: number;
  readonly forecasts: readonly FormatForecast[];
  readonly recommendedFormat: WeightFormat;
}

export interface InstalledModel {
  /** Stable, printable: the repository and short revision, or the name of an imported folder. */
  readonly id: string;
  readonly name: string;
  readonly repo: string | null;
  readonly revision: string | null;
  readonly folder: string;
  readonly sizeBytes: number;
  readonly origin: 'downloaded' | 'imported';
  readonly installedAt: number;
  readonly verifiedAt: number | null;
  readonly licenceId: string | null;
}

export type DownloadState = 'waiting' | 'running' | 'paused' | 'verifying' | 'failed' | 'done';

export interface DownloadStatus {
  readonly repo: string;
  readonly revision: string;
  readonly state: DownloadState;
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Over a moving window; null while unknown. */
  readonly bytesPerSecond: number | null;
  readonly etaSeconds: number | null;
  /** Why it is waiting, paused or failed. */
  readonly reason: ErrorInfo | null;
  readonly file: string | null;
}

/** A long task on an installed model. Its end is the reply to the request that began it. */
export interface ModelTask {
  readonly modelId: string;
  readonly kind: 'verify' | 'move' | 'repair' | 'makeFormat';
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** A weight format of an installed model, and whether it is made already: loading it is then a matter of a second. */
export interface ModelFormat {
  readonly format: KeptFormat;
  /** What the made form takes on the disk beside the model's own files; null: not made yet. */
  readonly cachedBytes: number | null;
}

export interface ModelUpdate {
  readonly modelId: string;
  /** What the hub's main branch points to now. */
  readonly latestRevision: string;
  readonly available: boolean;
}

/** How the app reaches the hub. The access token is a secret and lives elsewhere. */
export interface HubSettings {
  /** The switch "never use the network": no request leaves the model room while it is on. */
  readonly offline: boolean;
  /** Address of a mirror; null: HF_ENDPOINT, else the public hub. */
  readonly endpoint: string | null;
  /** http://[user:password@]host:port; null: HTTPS_PROXY and HTTP_PROXY, else none. */
  readonly proxy: string | null;
  /** Hosts that are reached directly, separated by commas; null: NO_PROXY. */
  readonly noProxy: string | null;
  /** PEM file with certificates to trust besides the system's. */
  readonly caFile: string | null;
}

export type RequestPurpose = 'describe' | 'list' | 'card' | 'locate' | 'file' | 'test';

/** One request that left the app. Never holds a token, a path or a query. */
export interface NetworkRequest {
  readonly at: number;
  readonly host: string;
  readonly purpose: RequestPurpose;
  /** HTTP status; null when no answer came. */
  readonly status: number | null;
  readonly receivedBytes: number;
  readonly durationMs: number;
  readonly problem: string | null;
}

/** Where the hub's access token comes from: HF_TOKEN, typed in for this run, or kept in the system's secret store. */
export type TokenSource = 'none' | 'environment' | 'run' | 'stored';

export interface HubTest {
  readonly endpoint: string;
  readonly ok: boolean;
  readonly durationMs: number;
  /** Who the token belongs to; null without a token. */
  readonly user: string | null;
  readonly problem: ErrorInfo | null;
}

export interface VerifyReport {
  readonly modelId: string;
  readonly ok: boolean;
  readonly files: readonly { readonly path: string; readonly ok: boolean; readonly problem: string | null }[];
}

// ---------------------------------------------------------------- app

export interface AppInfo {
  readonly version: string;
  readonly shell: 'electron' | 'web';
  readonly platform: string;
  readonly home: string;
  /** Whether app.pickFolder can show the system's dialog. */
  readonly canPickFolder: boolean;
  readonly hubEndpoint: string;
  /** What this start was asked to show; null: nothing in particular. */
  readonly startPage: OpenRequest | null;
  /** A model named on the command line, to be loaded at once. */
  readonly startModel: string | null;
  /** What the user should know of this start, in sentences: damaged files that were set aside, a crash before. */
  readonly notices: readonly string[];
  /** Started to get out of trouble: no model is loaded by itself. */
  readonly safeMode: boolean;
  /** Whether the model of the last time may be loaded without being asked for. */
  readonly loadsModel: boolean;
}

export const languages = ['en', 'de'] as const;
export type Language = (typeof languages)[number];
export const languageChoices = ['system', ...languages] as const;
export type LanguageChoice = (typeof languageChoices)[number];

/** Sampling options under a name. */
export interface SamplingPreset {
  /** Unique among the user's presets. */
  readonly name: string;
  readonly sampling: SamplingOptions;
}
export const maxPresets = 50;
export const maxPresetName = 60;
/** The local API: on loopback only. */
export interface ApiSettings {
  readonly enabled: boolean;
  readonly port: number;
}

export const apiPortRange: NumberRange = { min: 1024, max: 65535, default: 8080, step: 1 };

/** One request to the local API that generates, as the app shows it. */
export interface ApiRequest {
  readonly id: number;
  readonly path: string;
  readonly phase: 'waiting' | 'reading' | 'writing' | 'ended';
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Of HTTP, once it has ended. */
  readonly status: number | null;
}

export interface ApiStatus {
  readonly state: 'off' | 'on' | 'failed';
  /** http://HOST:PORT, without /v1; null unless on. */
  readonly url: string | null;
  readonly problem: ErrorInfo | null;
  /** Served beside the page by the program that serves the page: on as long as that runs. */
  readonly ownedByShell: boolean;
  /** Newest first: those under way, and the last that ended. */
  readonly requests: readonly ApiRequest[];
}

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

/** ask: the user was not asked yet, and nothing is fetched before. */
export const updateChoices = ['ask', 'on', 'off'] as const;
export type UpdateChoice = (typeof updateChoices)[number];

/** How the installed app behaves on this computer. */
export interface DesktopSettings {
  /** Closing the window leaves Nemoflash in the tray. */
  readonly tray: boolean;
  /** The page is drawn by the CPU, so that all of the GPU's memory is the model's. From the next start on. */
  readonly softwareRendering: boolean;
  /** Its dictionary may be fetched from the network once. From the next start on. */
  readonly spellCheck: boolean;
}

/** Where looking for a new version stands. */
export type UpdateStatus =
  | { readonly state: 'unsupported' | 'idle' | 'checking' | 'current' }
  | { readonly state: 'downloading'; readonly version: string; readonly share: number }
  | { readonly state: 'ready'; readonly version: string }
  | { readonly state: 'failed'; readonly error: ErrorInfo };

/** A page that something outside asked to see: the menu, or a nemoflash: link. */
export type OpenRequest =
  | { readonly page: 'settings' }
  /** Shown, never fetched by itself. */
  | { readonly page: 'models'; readonly repo: string };

export interface Settings {
  readonly theme: Theme;
  /** Of the page. system: the first of the system's languages that there is, else English. */
  readonly language: LanguageChoice;
  readonly modelId: string | null;
  readonly device: DeviceKind | 'auto';
  readonly format: WeightFormat | 'auto';
  readonly contextPositions: number;
  readonly modelsFolder: string | null;
  readonly sampling: SamplingOptions;
  readonly systemPrompt: string;
  readonly presets: readonly SamplingPreset[];
  /** The message being typed is read meanwhile, so that the answer begins at once. Off on battery. */
  readonly prefillWhileTyping: boolean;
  /** Alternatives remembered for each token of an answer, for the token inspector; 0: none. */
  readonly logprobs: number;
  readonly railOpen: boolean;
  readonly drawerOpen: boolean;
  readonly hub: HubSettings;
  readonly api: ApiSettings;
  readonly desktop: DesktopSettings;
  readonly updates: UpdateChoice;
  readonly acceptedLicences: readonly { readonly repo: string; readonly revision: string; readonly at: number }[];
}

export const defaultSettings: Settings = {
  theme: 'system',
  language: 'system',
  modelId: null,
  device: 'auto',
  format: 'auto',
  contextPositions: contextRange.default,
  modelsFolder: null,
  sampling: defaultSampling,
  systemPrompt: '',
  presets: [],
  prefillWhileTyping: false,
  logprobs: 0,
  railOpen: true,
  drawerOpen: false,
  hub: { offline: false, endpoint: null, proxy: null, noProxy: null, caFile: null },
  api: { enabled: false, port: apiPortRange.default },
  desktop: { tray: false, softwareRendering: false, spellCheck: false },
  updates: 'ask',
  acceptedLicences: [],
};
