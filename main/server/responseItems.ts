/** Items of the Responses API: what a client sends as input, and what an answer is made of. */
import { randomUUID } from 'node:crypto';

import { z } from 'zod';

import type { PromptMessage } from '../engine/engineApi.ts';
import { badRequest } from './apiErrors.ts';
import { toolCallsText, toolChoiceSchema } from './tools.ts';

const textPart = z.object({ type: z.string(), text: z.string().optional() });
const content = z.union([z.string(), z.array(textPart)]);

const item = z.object({
  type: z.string().optional(),
  role: z.enum(['system', 'developer', 'user', 'assistant']).optional(),
  content: content.nullish(),
  // Of function calls and what they gave.
  name: z.string().optional(),
  arguments: z.string().optional(),
  output: content.optional(),
});
export const inputSchema = z.union([z.string(), z.array(item)]);

export const responseToolChoiceSchema = z.union([
  toolChoiceSchema,
  z
    .object({ type: z.literal('function'), name: z.string() })
    .transform(({ name }) => ({ type: 'function' as const, function: { name } })),
]);

/** text.format: like response_format, with the schema one level higher. */
export const textSchema = z.object({
  format: z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('text') }),
      z.object({ type: z.literal('json_object') }),
      z.object({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()) }),
    ])
    .nullish(),
});

function textOf(parts: z.output<typeof content> | null | undefined, param: string): string {
  if (typeof parts === 'string') return parts;
  return (parts ?? [])
    .map(({ type, text }, at) => {
      if (!['input_text', 'output_text', 'text'].includes(type)) {
        throw badRequest(`This model reads text only, not '${type}'.`, `${param}.${at}.type`);
      }
      return text ?? '';
    })
    .join('');
}

export function inputMessages(input: z.output<typeof inputSchema>): PromptMessage[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  return input.flatMap((entry, index): PromptMessage[] => {
    const { type = 'message', role, name, arguments: given } = entry;
    if (type === 'message' && role !== undefined) {
      const text = textOf(entry.content, `input.${index}.content`);
      return [{ role: role === 'developer' ? 'system' : role, content: text }];
    }
    if (type === 'function_call' && name !== undefined && given !== undefined) {
      return [{ role: 'assistant', content: toolCallsText([{ function: { name, arguments: given } }]) }];
    }
    if (type === 'function_call_output' && entry.output !== undefined) {
      return [{ role: 'user', content: textOf(entry.output, `input.${index}.output`) }];
    }
    // What a model thought is not shown to another one.
    if (type === 'reasoning') return [];
    throw badRequest(
      `Items of type '${type}' are not supported; send messages and function calls.`,
      `input.${index}.type`,
    );
  });
}

export const outputText = (text: string): object => ({ type: 'output_text', text, annotations: [], logprobs: [] });

export const outputMessage = (id: string, status: string, parts: readonly object[]): object => ({
  ...{ type: 'message', id, role: 'assistant', status, content: parts },
});

export const functionCall = (
  id: string,
  status: string,
  call: { readonly id: string; readonly name: string; readonly arguments: string },
): object => ({ type: 'function_call', id, call_id: call.id, name: call.name, arguments: call.arguments, status });

export const newId = (prefix: string): string => `${prefix}_${randomUUID().replaceAll('-', '')}`;
