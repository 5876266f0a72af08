/** Chats as one JSON document: everything a chat is made of, nothing about the machine it was on. */
import { z } from 'zod';

import type { Chat } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { portableHeaderSchema, portableMessageSchema } from './schemas.ts';
import type { PortableChat } from './schemas.ts';

export const exchangeFormat = 'nemoflash-chats';
export const exchangeVersion = 1;

const documentSchema = z.object({
  format: z.literal(exchangeFormat),
  version: z.int().min(1),
  chats: z.array(portableHeaderSchema.extend({ messages: z.array(portableMessageSchema) })),
});

/** Keys in a fixed order, so that equal chats give equal text. An answer in the making travels as interrupted. */
export function portable(chat: Chat): PortableChat {
  const { id, title, createdAt, updatedAt, pinned, systemPrompt, sampling, context, draft, leafId } = chat;
  const messages = chat.messages.map((message) => ({
    id: message.id,
    parentId: message.parentId,
    role: message.role,
    content: message.content,
    createdAt: message.createdAt,
    status: message.status === 'streaming' ? ('interrupted' as const) : message.status,
    error: message.error,
    stats: message.stats,
    ...(message.cut !== undefined && { cut: message.cut }),
  }));
  return { id, title, createdAt, updatedAt, pinned, systemPrompt, sampling, context, draft, leafId, messages };
}

export function writeJson(chats: readonly Chat[]): string {
  const document = { format: exchangeFormat, version: exchangeVersion, chats: chats.map(portable) };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Throws BAD_REQUEST saying what is wrong where. */
export function readJson(text: string): readonly PortableChat[] {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new AppError('BAD_REQUEST', 'This is not a whole JSON file. Export it again.', { cause });
  }
  const parsed = documentSchema.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const place = issue?.path.join('.') || 'the document';
    throw new AppError('BAD_REQUEST', `This is not an export of Nemoflash: ${place}: ${issue?.message ?? 'unusable'}.`);
  }
  refuseNewer(parsed.data.version);
  return parsed.data.chats;
}

export function refuseNewer(version: number): void {
  if (version <= exchangeVersion) return;
  throw new AppError('UNSUPPORTED', 'This export was made by a newer Nemoflash. Update Nemoflash to import it.');
}
