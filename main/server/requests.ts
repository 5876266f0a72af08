/**
 * What clients send, as published in OpenAI's API reference, plus the local extensions they use. Unknown fields are
 * ignored, explicit null counts as absent, and a number given as a string is refused by name.
 */
import { z } from 'zod';

import { contextRange, maxSeed, promptFormats, samplingRanges } from '../contract/domain.ts';
import type { PromptFormat, SamplingOptions, SamplingPreset } from '../contract/domain.ts';
import type { GenerateRequest } from '../engine/engineApi.ts';
import { badRequest } from './apiErrors.ts';
import { requestPolicies } from './contextFit.ts';
import type { GrammarSpec } from './grammar.ts';
import { toolCallsSchema, toolChoiceSchema, toolsSchema } from './tools.ts';

const penalty = z.number().min(-2).max(2);

const common = {
  model: z.string().optional(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  top_k: z.int().min(-1).optional(),
  min_p: z.number().min(0).max(1).optional(),
  repetition_penalty: z.number().min(samplingRanges.repetitionPenalty.min).max(2).optional(),
  frequency_penalty: penalty.optional(),
  presence_penalty: penalty.optional(),
  max_tokens: z.int().min(1).optional(),
  seed: z.int().optional(),
  stop: z.union([z.string(), z.array(z.string()).max(16)]).optional(),
  n: z.int().min(1).max(16).optional(),
  stream: z.boolean().optional(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).optional(),
  logit_bias: z.record(z.string().regex(/^\d+$/), z.number().min(-100).max(100)).optional(),
  ignore_eos: z.boolean().optional(),
  stop_token_ids: z.array(z.int().min(0)).max(64).optional(),
  min_tokens: z.literal(0, 'a least number of tokens is not supported; ignore_eos goes on to max_tokens').optional(),
  preset: z.string().optional(),
};

const part = z.object({ type: z.string(), text: z.string().optional() });
const message = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content: z.union([z.string(), z.array(part)]).nullish(),
  tool_calls: toolCallsSchema.nullish(),
});

/** `json_schema` is accepted wrapped, as OpenAI documents it, and bare, as some servers taught clients to send it. */
const responseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({ type: z.literal('json_schema'), json_schema: z.record(z.string(), z.unknown()) }),
]);

export const chatSchema = z.object({
  ...common,
  messages: z.array(message).min(1),
  max_completion_tokens: z.int().min(1).optional(),
  logprobs: z.boolean().optional(),
  top_logprobs: z.int().min(0).max(20).optional(),
  prompt_format: z.enum(promptFormats).optional(),
  chat_template_kwargs: z.object({ format: z.enum(promptFormats).nullish() }).optional(),
  response_format: responseFormat.optional(),
  tools: toolsSchema.optional(),
  tool_choice: toolChoiceSchema.optional(),
  context_policy: z.enum(requestPolicies).optional(),
});
export type ChatRequest = z.output<typeof chatSchema>;

/** All but the prompt. */
export const completionSchema = z.object({
  ...common,
  logprobs: z.int().min(0).max(20).optional(),
  echo: z.boolean().optional(),
  suffix: z.string().optional(),
  best_of: z.int().min(1).optional(),
});
export type CompletionRequest = z.output<typeof completionSchema>;

/** The grammar that an answer in this format follows; null: any text. */
export function formatGrammar(format: ChatRequest['response_format']): GrammarSpec | null {
  switch (format?.type) {
    case undefined:
    case 'text':
      return null;
    case 'json_object':
      return { kind: 'json' };
    case 'json_schema': {
      const given = format.json_schema;
      return { kind: 'schema', schema: typeof given['schema'] === 'object' ? (given['schema'] ?? {}) : given };
    }
  }
}

/** Requests as the engine takes them. `seed` is undefined when the client gave none; choices then differ. */
export interface Generation {
  readonly sampling: SamplingOptions;
  readonly extra: Pick<GenerateRequest, 'logitBias' | 'ignoreEnd' | 'stopTokens'>;
  readonly choices: number;
}

type SamplingFields = Partial<
  Pick<
    CompletionRequest,
    | 'temperature'
    | 'top_p'
    | 'top_k'
    | 'min_p'
    | 'repetition_penalty'
    | 'frequency_penalty'
    | 'presence_penalty'
    | 'seed'
    | 'stop'
    | 'n'
    | 'logit_bias'
    | 'ignore_eos'
    | 'stop_token_ids'
    | 'preset'
  >
>;

/** The settings of the named preset; throws 400 when there is none of that name. null: no preset was asked for. */
function presetOf(name: string | undefined, presets: readonly SamplingPreset[]): SamplingOptions | null {
  if (name === undefined) return null;
  const found = presets.find((preset) => preset.name === name);
  if (found !== undefined) return found.sampling;
  const names = presets.map((preset) => `'${preset.name}'`).join(', ');
  throw badRequest(
    `There is no preset '${name}'. ${names === '' ? 'None are kept here.' : `There are ${names}.`}`,
    'preset',
  );
}

/** What stands in for absent fields: OpenAI's reference says temperature 1, top_p 1, no limit but the context. */
const reference: SamplingOptions = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  // The engine ends at the context by itself, and says so.
  maxNewTokens: contextRange.max,
  seed: null,
  stop: [],
  promptFormat: 'model-card',
};

const wrappedSeed = (seed: number): number => ((seed % (maxSeed + 1)) + maxSeed + 1) % (maxSeed + 1);

/** Absent fields come from the preset that is named, else from OpenAI's reference. */
export function generationOf(
  request: SamplingFields,
  format: PromptFormat,
  maxTokens: number | undefined,
  presets: readonly SamplingPreset[],
): Generation {
  const absent = presetOf(request.preset, presets) ?? reference;
  const stop = (typeof request.stop === 'string' ? [request.stop] : (request.stop ?? absent.stop)).filter(
    (text) => text !== '',
  );
  const greedyByTopP = request.top_p === 0;
  const { logit_bias, ignore_eos, stop_token_ids } = request;
  return {
    choices: request.n ?? 1,
    extra: {
      ...(logit_bias && {
        logitBias: Object.entries(logit_bias).map(([token, bias]) => [Number(token), bias] as const),
      }),
      ...(ignore_eos !== undefined && { ignoreEnd: ignore_eos }),
      ...(stop_token_ids && { stopTokens: stop_token_ids }),
    },
    sampling: {
      temperature: greedyByTopP ? 0 : (request.temperature ?? absent.temperature),
      topK: Math.max(0, request.top_k ?? absent.topK),
      topP: greedyByTopP ? 1 : (request.top_p ?? absent.topP),
      minP: request.min_p ?? absent.minP,
      repetitionPenalty: request.repetition_penalty ?? absent.repetitionPenalty,
      frequencyPenalty: request.frequency_penalty ?? absent.frequencyPenalty,
      presencePenalty: request.presence_penalty ?? absent.presencePenalty,
      maxNewTokens: Math.min(maxTokens ?? absent.maxNewTokens, contextRange.max),
      seed: request.seed === undefined ? absent.seed : wrappedSeed(request.seed),
      stop,
      promptFormat: format,
    },
  };
}
