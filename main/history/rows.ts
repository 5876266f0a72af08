/**
 * From rows to the words of the product, forgiving: a value that is missing, of the wrong type or from a newer version
 * gives way to a plain default, so that no row can make a chat unopenable.
 */
import type { z } from 'zod';

import type { ChatSummary, ContextPolicy, Message, SamplingOptions } from '../contract/domain.ts';
import type { Row } from './database.ts';
import { soundTree } from './messageTree.ts';
import { cutSchema, errorSchema, messageStatuses, readContextPolicy, readSampling, statsSchema } from './schemas.ts';

const text = (value: unknown) => (typeof value === 'string' ? value : '');
const whole = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? Math.trunc(value) : 0);
export const textOrNull = (value: unknown) => (typeof value === 'string' && value !== '' ? value : null);

/** Null for what is not JSON or not of the shape. */
export function parsed<T>(value: unknown, schema: z.ZodType<T>): T | null {
  const raw = json(value);
  return raw === null ? null : (schema.safeParse(raw).data ?? null);
}

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
  const cut = parsed(row['cut'], cutSchema);
  const status = messageStatuses.find((known) => known === row['status']) ?? 'complete';
  return {
    id,
    chatId,
    parentId: textOrNull(row['parent_id']),
    role: row['role'] === 'user' ? 'user' : 'assistant',
    content: text(row['content']),
    createdAt: whole(row['created_at']),
    status,
    error: parsed(row['error'], errorSchema),
    stats: parsed(row['stats'], statsSchema),
    ...(cut !== null && { cut }),
  };
}

/** Rows in the order of writing. */
export function readMessages(rows: readonly Row[]): readonly Message[] {
  return soundTree(rows.map(readMessage).filter((message) => message !== null));
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
  readonly context: ContextPolicy;
  readonly draft: string;
  readonly leafId: string | null;
}

export function readChatHeader(row: Row): ChatHeader | null {
  const summary = readSummary(row);
  if (!summary) return null;
  return {
    ...summary,
    systemPrompt: text(row['system_prompt']),
    sampling: readSampling(json(row['sampling'])),
    context: readContextPolicy(json(row['context']) ?? {}),
    draft: text(row['draft']),
    leafId: textOrNull(row['leaf_id']),
  };
}
