/**
 * From rows to the words of the product, forgiving: a value that is missing, of the wrong type or from a newer version
 * gives way to a plain default, so that no row can make a chat unopenable.
 */
import { z } from 'zod';

import { defaultSampling, deviceKinds, finishReasons, weightFormats } from '../contract/domain.ts';
import type { ChatSummary, GenerationStats, Message, MessageStatus, SamplingOptions } from '../contract/domain.ts';
import { errorCodes } from '../contract/errors.ts';
import type { ErrorInfo } from '../contract/errors.ts';
import { samplingSchema } from '../contract/ipc.ts';
import { readPerKey } from '../tolerant.ts';
import type { Row } from './database.ts';

const amount = z.number().min(0);
const errorSchema: z.ZodType<ErrorInfo> = z.object({
  code: z.enum(errorCodes).catch('INTERNAL'),
  message: z.string(),
  retryable: z.boolean().catch(false),
});
const statsSchema: z.ZodType<GenerationStats> = z.object({
  promptTokens: amount,
  reusedTokens: amount,
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
const statuses: readonly MessageStatus[] = ['complete', 'streaming', 'interrupted', 'failed'];

const text = (value: unknown) => (typeof value === 'string' ? value : '');
const whole = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? Math.trunc(value) : 0);
export const textOrNull = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null);

function json(value: unknown): unknown {
  try {
    return typeof value === 'string' ? JSON.parse(value) : null;
  } catch {
    return null;
  }
}

/** A message before its place in the tree was checked; null for a row without an identity. */
export function readMessage(row: Row): Message | null {
  const id = textOrNull(row['id']);
  const chatId = textOrNull(row['chat_id']);
  if (!id || !chatId) return null;
  const status = statuses.find((known) => known === row['status']) ?? 'complete';
  return {
    id,
    chatId,
    parentId: textOrNull(row['parent_id']),
    role: row['role'] === 'user' ? 'user' : 'assistant',
    content: text(row['content']),
    createdAt: whole(row['created_at']),
    status,
    error: errorSchema.safeParse(json(row['error'])).data ?? null,
    stats: statsSchema.safeParse(json(row['stats'])).data ?? null,
  };
}

/** Rows in the order of writing. A message whose parent is missing or comes later stands as a root of its own. */
export function readMessages(rows: readonly Row[]): readonly Message[] {
  const known = new Set<string>();
  const messages: Message[] = [];
  for (const row of rows) {
    const message = readMessage(row);
    if (!message || known.has(message.id)) continue;
    known.add(message.id);
    const orphan = message.parentId !== null && (message.parentId === message.id || !known.has(message.parentId));
    messages.push(orphan ? { ...message, parentId: null } : message);
  }
  return messages;
}

export function readSummary(row: Row): ChatSummary | null {
  const id = textOrNull(row['id']);
  if (!id) return null;
  return {
    id,
    title: text(row['title']),
    createdAt: whole(row['created_at']),
    updatedAt: whole(row['updated_at']),
    pinned: row['pinned'] === 1,
  };
}

export interface ChatHeader extends ChatSummary {
  readonly systemPrompt: string;
  readonly sampling: SamplingOptions;
  readonly draft: string;
  readonly leafId: string | null;
}

export function readChatHeader(row: Row): ChatHeader | null {
  const summary = readSummary(row);
  if (!summary) return null;
  return {
    ...summary,
    systemPrompt: text(row['system_prompt']),
    sampling: readPerKey(samplingSchema.shape, json(row['sampling']), defaultSampling, 'sampling').value,
    draft: text(row['draft']),
    leafId: textOrNull(row['leaf_id']),
  };
}
