/** Schemas of what the page sends, where more than one place parses it. */
import { z } from 'zod';

import {
  apiPortRange,
  contextPolicyKinds,
  contextRange,
  deviceKinds,
  keepTurnsRange,
  languageChoices,
  logprobsRange,
  maxMessageChars,
  maxPresetName,
  maxPresets,
  maxSeed,
  maxStopLength,
  maxStopStrings,
  promptFormats,
  samplingRanges,
  themes,
  updateChoices,
  weightFormats,
} from './domain.ts';
import type { NumberRange } from './domain.ts';

export const id = z.string().min(1).max(200);
export const path = z.string().min(1).max(4096);

const webAddress = z.url({ protocol: /^https?$/ }).max(2048);

const inRange = (range: NumberRange) => z.number().min(range.min).max(range.max);
export const wholeInRange = (range: NumberRange) => z.int().min(range.min).max(range.max);

export const samplingSchema = z.strictObject({
  temperature: inRange(samplingRanges.temperature),
  topK: wholeInRange(samplingRanges.topK),
  topP: inRange(samplingRanges.topP),
  minP: inRange(samplingRanges.minP),
  repetitionPenalty: inRange(samplingRanges.repetitionPenalty),
  frequencyPenalty: inRange(samplingRanges.frequencyPenalty),
  presencePenalty: inRange(samplingRanges.presencePenalty),
  maxNewTokens: wholeInRange(samplingRanges.maxNewTokens),
  seed: z.int().min(0).max(maxSeed).nullable(),
  stop: z.array(z.string().min(1).max(maxStopLength)).max(maxStopStrings),
  promptFormat: z.enum(promptFormats),
});

export const contextPolicySchema = z.strictObject({
  kind: z.enum(contextPolicyKinds),
  keepTurns: wholeInRange(keepTurnsRange),
});

export const loadSchema = z.strictObject({
  source: path,
  device: z.enum([...deviceKinds, 'auto']).optional(),
  deviceIndex: z.int().min(0).max(63).optional(),
  format: z.enum([...weightFormats, 'auto']).optional(),
  contextPositions: wholeInRange(contextRange).optional(),
  threads: z.int().min(1).max(1024).optional(),
});

export const presetSchema = z.strictObject({
  name: z.string().trim().min(1).max(maxPresetName),
  sampling: samplingSchema,
});

export const settingsPatchSchema = z
  .strictObject({
    theme: z.enum(themes),
    language: z.enum(languageChoices),
    modelId: id.nullable(),
    device: z.enum([...deviceKinds, 'auto']),
    format: z.enum([...weightFormats, 'auto']),
    contextPositions: wholeInRange(contextRange),
    modelsFolder: path.nullable(),
    sampling: samplingSchema,
    systemPrompt: z.string().max(maxMessageChars),
    presets: z
      .array(presetSchema)
      .max(maxPresets)
      .refine((presets) => new Set(presets.map(({ name }) => name)).size === presets.length, 'names must differ'),
    prefillWhileTyping: z.boolean(),
    logprobs: wholeInRange(logprobsRange),
    railOpen: z.boolean(),
    drawerOpen: z.boolean(),
    hub: z.strictObject({
      offline: z.boolean(),
      endpoint: webAddress.nullable(),
      proxy: webAddress.nullable(),
      noProxy: z.string().max(4096).nullable(),
      caFile: path.nullable(),
    }),
    api: z.strictObject({ enabled: z.boolean(), port: wholeInRange(apiPortRange) }),
    desktop: z.strictObject({ tray: z.boolean(), softwareRendering: z.boolean(), spellCheck: z.boolean() }),
    updates: z.enum(updateChoices),
    tourSeen: z.boolean(),
  })
  .partial();

export const variantSchema = z.strictObject({
  format: z.enum(weightFormats).optional(),
  threads: z.int().min(1).max(1024).optional(),
  device: z.enum(deviceKinds).optional(),
  useGraph: z.boolean().optional(),
  readsAhead: z.boolean().optional(),
});
