/** Function calling for a model without a format of its own: described in the prompt, enforced by a grammar; toolCalls.ts reads it back. */
import { z } from 'zod';

import type { PromptMessage } from '../engine/engineApi.ts';
import { badRequest } from './apiErrors.ts';
import type { GrammarSpec } from './grammar.ts';

const functionFields = {
  name: z.string().regex(/^[\w.-]{1,64}$/, 'a function name has up to 64 letters, digits, _ . or -'),
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
};
const type = z.literal('function', 'only functions can be called here');
export const toolsSchema = z.array(z.object({ type, function: z.object(functionFields) })).max(128);
/** As the Responses API has them: flat. */
export const flatToolsSchema = z
  .array(z.object({ type, ...functionFields }).transform((tool) => ({ type: tool.type, function: tool })))
  .max(128);

export const toolChoiceSchema = z.union([
  z.enum(['none', 'auto', 'required']),
  z.object({ type: z.literal('function'), function: z.object({ name: z.string() }) }),
]);

/** Calls of an earlier turn, as the client gives them back. */
export const toolCallsSchema = z.array(z.object({ function: z.object({ name: z.string(), arguments: z.string() }) }));

export type Tool = z.output<typeof toolsSchema>[number];

/** How tools take part in one request; null: they do not. */
export interface ToolUse {
  readonly tools: readonly Tool[];
  /** false: the model may answer in text instead. */
  readonly required: boolean;
}

export const begin = '<tool_call>';
export const end = '</tool_call>';

export function toolUseOf(
  tools: readonly Tool[] | undefined,
  choice: z.output<typeof toolChoiceSchema> | undefined,
): ToolUse | null {
  if (tools === undefined || tools.length === 0 || choice === 'none') {
    if (choice !== undefined && choice !== 'none' && choice !== 'auto')
      throw badRequest('tool_choice needs tools.', 'tool_choice');
    return null;
  }
  if (typeof choice !== 'object') return { tools, required: choice === 'required' };
  const { name } = choice.function;
  const chosen = tools.filter((tool) => tool.function.name === name);
  if (chosen.length === 0)
    throw badRequest(`tool_choice names '${name}', which is not among the tools.`, 'tool_choice');
  return { tools: chosen, required: true };
}

/** One call: {"name": …, "arguments": …}. */
function callSchema(tools: readonly Tool[]): object {
  const calls = tools.map((tool) => ({
    type: 'object',
    properties: {
      name: { const: tool.function.name },
      arguments: tool.function.parameters ?? { type: 'object' },
    },
    required: ['name', 'arguments'],
    additionalProperties: false,
  }));
  return calls.length === 1 ? (calls[0] as object) : { anyOf: calls };
}

export function toolGrammar({ tools, required }: ToolUse): GrammarSpec {
  return required
    ? { kind: 'schema', schema: callSchema(tools) }
    : { kind: 'tagged', begin, end, schema: callSchema(tools) };
}

/** What the model is told, in front of everything else. */
export function toolInstructions({ tools, required }: ToolUse): PromptMessage {
  const list = tools.map(({ function: { name, description, parameters } }) =>
    JSON.stringify({ name, description: description ?? '', parameters: parameters ?? {} }),
  );
  const form = `{"name": FUNCTION, "arguments": {...}}`;
  const how = required
    ? `Answer with one call as JSON and nothing else: ${form}`
    : `To call one, write ${begin}${form}${end}. Otherwise answer in plain text.`;
  return { role: 'system', content: `You can call these functions:\n${list.join('\n')}\n${how}` };
}

/** How the model said these calls, or would have: so that it knows what the answers that follow are answers to. */
export function toolCallsText(calls: z.output<typeof toolCallsSchema>): string {
  return calls
    .map(
      ({ function: { name, arguments: given } }) =>
        `${begin}{"name": ${JSON.stringify(name)}, "arguments": ${given}}${end}`,
    )
    .join('');
}
