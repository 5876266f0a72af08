/** POST /v1/responses: chat by items, continued by previous_response_id, which maps onto the engine's checkpoints. */
import { z } from 'zod';

import { promptFormats } from '../contract/domain.ts';
import type { LoadedModel } from '../contract/domain.ts';
import type { GenerateResult, PromptMessage } from '../engine/engineApi.ts';
import { finishReasonOf, generateChoices, loadedModel } from './choices.ts';
import { fitPrompt, withDropped } from './contextFit.ts';
import type { ApiContext, Exchange } from './exchange.ts';
import { sendJson, streamEvents } from './exchange.ts';
import { parseBody } from './requestBody.ts';
import { formatGrammar, generationOf } from './requests.ts';
import { inputMessages, inputSchema, newId, responseToolChoiceSchema, textSchema } from './responseItems.ts';
import { itemsOf, OutputStream } from './responseOutput.ts';
import type { ResponseStore } from './responseStore.ts';
import { flatToolsSchema, toolGrammar, toolInstructions, toolUseOf } from './tools.ts';

const responseSchema = z.object({
  model: z.string().optional(),
  input: inputSchema,
  instructions: z.string().optional(),
  previous_response_id: z.string().optional(),
  max_output_tokens: z.int().min(1).optional(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  stream: z.boolean().optional(),
  store: z.boolean().optional(),
  text: textSchema.optional(),
  tools: flatToolsSchema.optional(),
  tool_choice: responseToolChoiceSchema.optional(),
  truncation: z.enum(['auto', 'disabled']).optional(),
  prompt_format: z.enum(promptFormats).optional(),
  preset: z.string().optional(),
});
type ResponseRequest = z.output<typeof responseSchema>;

/** A request in the engine's words. */
function planOf(context: ApiContext, store: ResponseStore, request: ResponseRequest) {
  const format = request.prompt_format ?? context.defaultFormat();
  const tools = toolUseOf(request.tools, request.tool_choice);
  const earlier = request.previous_response_id === undefined ? [] : store.get(request.previous_response_id);
  const conversation = [...earlier, ...inputMessages(request.input)];
  // Instructions hold for this response only; OpenAI does not carry them over either.
  const told: PromptMessage[] = tools === null ? [] : [toolInstructions(tools)];
  if (request.instructions !== undefined) told.push({ role: 'system', content: request.instructions });
  const generation = generationOf(request, format, request.max_output_tokens, context.presets());
  const fitted = fitPrompt(context.engine, [...told, ...conversation], {
    format,
    policy: request.truncation === 'auto' ? 'roll' : 'stop',
    reserve: generation.sampling.maxNewTokens,
  });
  const given = request.text?.format;
  const wanted = given?.type === 'json_schema' ? { type: given.type, json_schema: { schema: given.schema } } : given;
  const grammar = tools === null ? formatGrammar(wanted ?? undefined) : toolGrammar(tools);
  return { ...fitted, tools, conversation, generation: { ...generation, choices: 1 }, grammar };
}
type Plan = ReturnType<typeof planOf>;

/** The response object, from its beginning (`result` null) to its end. */
function describe(
  { id, createdAt, model }: { id: string; createdAt: number; model: LoadedModel },
  request: ResponseRequest,
  { generation, tools }: Plan,
  result: GenerateResult | null,
  output: readonly object[],
): object {
  const isCut = result !== null && finishReasonOf(result.stats.finishReason) === 'length';
  return {
    id,
    object: 'response',
    created_at: createdAt,
    status: result === null ? 'in_progress' : isCut ? 'incomplete' : 'completed',
    error: null,
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    metadata: {},
    model: request.model ?? model.name,
    output,
    parallel_tool_calls: false,
    previous_response_id: request.previous_response_id ?? null,
    temperature: generation.sampling.temperature,
    text: { format: request.text?.format ?? { type: 'text' } },
    tool_choice: request.tool_choice ?? (tools === null ? 'none' : 'auto'),
    tools: (request.tools ?? []).map((tool) => tool.function),
    top_p: generation.sampling.topP,
    truncation: request.truncation ?? 'disabled',
    usage: result && {
      input_tokens: result.stats.promptTokens,
      input_tokens_details: { cached_tokens: result.stats.reusedTokens },
      output_tokens: result.stats.outputTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: result.stats.promptTokens + result.stats.outputTokens,
    },
  };
}

export async function createResponse(
  context: ApiContext,
  store: ResponseStore,
  exchange: Exchange,
  body: unknown,
): Promise<void> {
  const request = parseBody(responseSchema, body);
  const head = { id: newId('resp'), createdAt: Math.floor(Date.now() / 1000), model: loadedModel(context) };
  const plan = planOf(context, store, request);
  const { tools, prompt, generation, grammar, conversation, dropped } = plan;
  const said = dropped === 0 ? exchange : withDropped(exchange, dropped);
  const answer = async (onText?: (text: string) => void): Promise<GenerateResult> => {
    const onFrame = onText && ((_: number, frame: { readonly text: string }) => onText(frame.text));
    const [result] = await generateChoices(context, said, prompt, generation, { logprobs: null, grammar, onFrame });
    if (result === undefined) throw new Error('no choice was generated');
    if (request.store !== false) store.set(head.id, [...conversation, { role: 'assistant', content: result.text }]);
    return result;
  };
  const statusOf = ({ stats }: GenerateResult): 'incomplete' | 'completed' =>
    finishReasonOf(stats.finishReason) === 'length' ? 'incomplete' : 'completed';

  if (request.stream !== true) {
    const result = await answer();
    sendJson(said, 200, describe(head, request, plan, result, itemsOf(result.text, tools, statusOf(result))));
    return;
  }
  await streamEvents(
    said,
    async (send) => {
      let sequence = 0;
      const event = (type: string, fields: object): void => send({ type, sequence_number: sequence++, ...fields });
      const output = new OutputStream(tools, event);
      let isOpen = false;
      const write = (text: string): void => {
        if (!isOpen) {
          isOpen = true;
          event('response.created', { response: describe(head, request, plan, null, []) });
          event('response.in_progress', { response: describe(head, request, plan, null, []) });
        }
        output.write(text);
      };
      const result = await answer(write);
      write('');
      const status = statusOf(result);
      event(`response.${status}`, { response: describe(head, request, plan, result, output.end(status)) });
    },
    'typed',
  );
}
