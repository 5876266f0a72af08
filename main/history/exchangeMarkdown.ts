/**
 * Chats as Markdown that reads well and comes back exactly. What a reader does not need stands in HTML comments; the
 * comment before a message says how many characters its text has, so the text may contain anything.
 */
import { z } from 'zod';

import type { Chat } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { exchangeVersion, portable, refuseNewer } from './exchangeJson.ts';
import { portableHeaderSchema, portableMessageSchema } from './schemas.ts';
import type { PortableChat, PortableMessage } from './schemas.ts';

const chatComment = /<!-- nemoflash-chat (\{[^\n]*\}) -->\n\n# [^\n]*\n\n/y;
const messageComment = /<!-- nemoflash-message (\{[^\n]*\}) -->\n\n## [^\n]*\n\n/y;
const speakers = { user: 'User', assistant: 'Assistant' } as const;

const headerSchema = portableHeaderSchema.extend({ version: z.int().min(1) });
const messageSchema = portableMessageSchema.omit({ content: true }).extend({ chars: z.int().min(0) });

/** ">" is escaped, so that nothing inside can end the comment. */
function comment(kind: 'chat' | 'message', value: object): string {
  return `<!-- nemoflash-${kind} ${JSON.stringify(value).replaceAll('>', '\\u003e')} -->`;
}

/** "Assistant (version 2 of 3)" where there are several. */
function heading(message: PortableMessage, messages: readonly PortableMessage[]): string {
  const versions = messages.filter(({ parentId }) => parentId === message.parentId);
  const speaker = speakers[message.role];
  return versions.length > 1 ? `${speaker} (version ${versions.indexOf(message) + 1} of ${versions.length})` : speaker;
}

export function writeMarkdown(chats: readonly Chat[]): string {
  return chats
    .map((chat) => {
      const { messages, ...header } = portable(chat);
      const title = header.title.replace(/\s+/g, ' ');
      const parts = messages.map((message) => {
        const { content, ...rest } = message;
        const fields = { ...rest, chars: content.length };
        return `${comment('message', fields)}\n\n## ${heading(message, messages)}\n\n${content}\n\n`;
      });
      return `${comment('chat', { version: exchangeVersion, ...header })}\n\n# ${title}\n\n${parts.join('')}`;
    })
    .join('');
}

/** Throws BAD_REQUEST saying where the text is not as it was written. */
export function readMarkdown(text: string): readonly PortableChat[] {
  let offset = 0;
  const refuse = (what: string): never => {
    const line = text.slice(0, offset).split('\n').length;
    throw new AppError(
      'BAD_REQUEST',
      `${what} near line ${line}. Only Markdown that Nemoflash exported and nobody edited can be imported.`,
    );
  };
  /** The fields of the next comment of a kind, if there is one here. */
  const next = <T>(pattern: RegExp, schema: z.ZodType<T>): T | null => {
    pattern.lastIndex = offset;
    const match = pattern.exec(text);
    if (!match) return null;
    const parsed = schema.safeParse(parseJson(match[1] ?? ''));
    if (!parsed.success) return refuse('A comment of Nemoflash is not as it was written');
    offset = pattern.lastIndex;
    return parsed.data;
  };

  const chats: PortableChat[] = [];
  do {
    const header = next(chatComment, headerSchema) ?? refuse('There is no chat');
    const { version, ...rest } = header;
    refuseNewer(version);
    const messages: PortableMessage[] = [];
    for (let found = next(messageComment, messageSchema); found; found = next(messageComment, messageSchema)) {
      const { chars, ...message } = found;
      messages.push({ ...message, content: text.slice(offset, offset + chars) });
      offset += chars;
      if (!text.startsWith('\n\n', offset)) refuse('A message has not the length it was written with');
      offset += 2;
    }
    chats.push({ ...rest, messages });
  } while (offset < text.length);
  return chats;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
