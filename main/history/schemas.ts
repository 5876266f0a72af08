/** The shapes of what is kept as JSON, in the store and in exports, with the parts that may be forgiven. */
import { z } from 'zod';

import {
  defaultContextPolicy,
  defaultSampling,
  deviceKinds,
  finishReasons,
  weightFormats,
} from '../contract/domain.ts';
import type { Chat, ContextCut, ContextPolicy, GenerationStats, Message, SamplingOptions } from '../contract/domain.ts';
import { errorCodes } from '../contract/errors.ts';
import type { ErrorInfo } from '../contract/errors.ts';
import { contextPolicySchema, samplingSchema } from '../contract/ipcSchemas.ts';
import { readPerKey } from '../tolerant.ts';

export const messageStatuses = ['complete', 'streaming', 'interrupted', 'failed'] as const;

const amount = z.number().min(0);
export const errorSchema: z.ZodType<ErrorInfo> = z.object({
  code: z.enum(errorCodes).catch('INTERNAL'),
  message: z.string(),
  retryable: z.boolean().catch(false),
});
export const statsSchema: z.ZodType<GenerationStats> = z.object({
  promptTokens: amount,
  reusedTokens: amount,
  restoredTokens: amount.optional().catch(undefined),
  typedTokens: amount.optional().catch(undefined),
  notice: z.string().optional().catch(undefined),
  prefillNs: amount,
  ttftNs: amount,
  queueNs: amount,
  outputTokens: amount,
  decodeNs: amount,
  itlNs: z.object({ p50: amount, p95: amount, p99: amount, max: amount }).nullable().catch(null),
  finishReason: z.enum(finishReasons),
  seed: amount,
  device: z.enum(deviceKinds),
  format: z.enum(weightFormats),
});

export function readSampling(raw: unknown): SamplingOptions {
  return readPerKey(samplingSchema.shape, raw, defaultSampling, 'sampling').value;
}

export function readContextPolicy(raw: unknown): ContextPolicy {
  return readPerKey(contextPolicySchema.shape, raw, defaultContextPolicy, 'context').value;
}

const identity = z.string().min(1);

export const cutSchema: z.ZodType<ContextCut> = z.object({
  firstId: identity,
  droppedMessages: amount,
  summary: z.string().nullable().catch(null),
});
const date = z.int().min(0).catch(0);

/** A message as exports carry it: its chat is the one that it stands in. */
export const portableMessageSchema = z.object({
  id: identity,
  parentId: identity.nullable().catch(null),
  role: z.enum(['user', 'assistant']),
  content: z.string(),
  createdAt: date,
  status: z.enum(messageStatuses).catch('complete'),
  error: errorSchema.nullable().catch(null),
  stats: statsSchema.nullable().catch(null),
  cut: cutSchema.optional().catch(undefined),
}) satisfies z.ZodType<Omit<Message, 'chatId'>>;

export const portableHeaderSchema = z.object({
  id: identity,
  title: z.string(),
  createdAt: date,
  updatedAt: date,
  pinned: z.boolean().catch(false),
  systemPrompt: z.string().catch(''),
  sampling: z.unknown().default({}).transform(readSampling),
  context: z.unknown().default({}).transform(readContextPolicy),
  draft: z.string().catch(''),
  leafId: identity.nullable().catch(null),
}) satisfies z.ZodType<Omit<Chat, 'messages'>>;

export type PortableMessage = z.output<typeof portableMessageSchema>;
export type PortableHeader = z.output<typeof portableHeaderSchema>;
/** A chat as it travels: what its receiver needs, and nothing that belongs to one machine. */
export type PortableChat = PortableHeader & { readonly messages: readonly PortableMessage[] };
