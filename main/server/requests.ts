/**
 * What clients send, as published in OpenAI's API reference, plus the local extensions they use. Unknown fields are
 * ignored, explicit null counts as absent, and a number given as a string is refused by name.
 */
import { z } from 'zod';

import { maxSeed, promptFormats, samplingRanges } from '../contract/domain.ts';
import type { PromptFormat, SamplingOptions } from '../contract/domain.ts';
import type { GenerateRequest } from '../engine/engineApi.ts';
import { badRequest } from './apiErrors.ts';
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
});
export type ChatRequest = z.output<typeof chatSchema>;

export const completionSchema = z.object({
  ...common,
  prompt: z
    .union([
      z.string(),
      z.array(z.string()).min(1),
      z.array(z.int().min(0)).min(1),
      z.array(z.array(z.int().min(0)).min(1)).min(1),
    ])
    .optional(),
  logprobs: z.int().min(0).max(20).optional(),
  echo: z.boolean().optional(),
  suffix: z.string().optional(),
  best_of: z.int().min(1).optional(),
});
export type CompletionRequest = z.output<typeof completionSchema>;

/** Drops explicit nulls at the top level: several clients serialise every unset option so. */
export function parseBody<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw badRequest('The body must be a JSON object.');
  const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const param = issue?.path.join('.') || null;
  throw badRequest(`${param === null ? '' : `'${param}': `}${issue?.message ?? 'invalid value'}`, param);
}

/** Requests as the engine takes them. `seed` is undefined when the client gave none; choices then differ. */
export interface Generation {
  readonly sampling: SamplingOptions;
  readonly extra: Pick<GenerateRequest, 'logitBias' | 'ignoreEnd'>;
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
  >
>;

/** Absent fields mean what OpenAI's reference says: temperature 1, top_p 1, no limit but the context. */
export function generationOf(request: SamplingFields, format: PromptFormat, maxTokens: number | undefined): Generation {
  const stop = (typeof request.stop === 'string' ? [request.stop] : (request.stop ?? [])).filter((text) => text !== '');
  const greedyByTopP = request.top_p === 0;
  return {
    choices: request.n ?? 1,
    extra: {
      ...(request.logit_bias === undefined
        ? {}
        : { logitBias: Object.entries(request.logit_bias).map(([token, bias]) => [Number(token), bias] as const) }),
      ...(request.ignore_eos === undefined ? {} : { ignoreEnd: request.ignore_eos }),
    },
    sampling: {
      temperature: greedyByTopP ? 0 : (request.temperature ?? 1),
      topK: Math.max(0, request.top_k ?? 0),
      topP: greedyByTopP ? 1 : (request.top_p ?? 1),
      minP: request.min_p ?? 0,
      repetitionPenalty: request.repetition_penalty ?? 1,
      frequencyPenalty: request.frequency_penalty ?? 0,
      presencePenalty: request.presence_penalty ?? 0,
      // The engine ends at the context by itself, and says so.
      maxNewTokens: maxTokens ?? samplingRanges.maxNewTokens.max,
      seed: request.seed === undefined ? null : ((request.seed % (maxSeed + 1)) + maxSeed + 1) % (maxSeed + 1),
      stop,
      promptFormat: format,
    },
  };
}
