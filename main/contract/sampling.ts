/** How an answer is drawn, and the single home of its ranges and defaults. */

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
