/** POST /v1/responses: chat by items, continued by previous_response_id, which maps onto the engine's checkpoints. */
import { randomUUID } from 'node:crypto';

import { z } from 'zod';

import { promptFormats } from '../contract/domain.ts';
import type { GenerateResult, PromptMessage } from '../engine/engineApi.ts';
import { ApiError, badRequest } from './apiErrors.ts';
import { finishReasonOf, generateChoices, loadedModel } from './choices.ts';
import type { ApiContext, Exchange } from './exchange.ts';
import { sendJson, streamEvents } from './exchange.ts';
import { generationOf, parseBody } from './requests.ts';

const textPart = z.object({ type: z.string(), text: z.string().optional() });
const item = z.object({
  type: z.string().optional(),
  role: z.enum(['system', 'developer', 'user', 'assistant']).optional(),
  content: z.union([z.string(), z.array(textPart)]).optional(),
});

const responseSchema = z.object({
  model: z.string().optional(),
  input: z.union([z.string(), z.array(item)]),
  instructions: z.string().optional(),
  previous_response_id: z.string().optional(),
  max_output_tokens: z.int().min(1).optional(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  stream: z.boolean().optional(),
  store: z.boolean().optional(),
  prompt_format: z.enum(promptFormats).optional(),
});
type ResponseRequest = z.output<typeof responseSchema>;

const maxStored = 1000;

/** Conversations that a previous_response_id may name, in memory, the oldest forgotten first. */
export class ResponseStore {
  readonly #conversations = new Map<string, readonly PromptMessage[]>();

  get(id: string): readonly PromptMessage[] {
    const found = this.#conversations.get(id);
    if (found === undefined) {
      throw new ApiError(404, 'not_found_error', `There is no response '${id}' here; send the conversation again.`, {
        param: 'previous_response_id',
        code: 'previous_response_not_found',
      });
    }
    return found;
  }

  set(id: string, messages: readonly PromptMessage[]): void {
    this.#conversations.set(id, messages);
    const oldest = this.#conversations.keys().next();
    if (this.#conversations.size > maxStored && !oldest.done) this.#conversations.delete(oldest.value);
  }
}

function inputMessages(input: ResponseRequest['input']): PromptMessage[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  return input.map(({ type, role, content }, index) => {
    if ((type ?? 'message') !== 'message' || role === undefined) {
      throw badRequest(`Items of type '${type}' are not supported; send messages.`, `input.${index}.type`);
    }
    const parts = typeof content === 'string' ? [{ type: 'input_text', text: content }] : (content ?? []);
    const text = parts.map((part, at) => {
      if (!['input_text', 'output_text', 'text'].includes(part.type)) {
        throw badRequest(`This model reads text only, not '${part.type}'.`, `input.${index}.content.${at}.type`);
      }
      return part.text ?? '';
    });
    return { role: role === 'developer' ? 'system' : role, content: text.join('') };
  });
}

export async function createResponse(
  context: ApiContext,
  store: ResponseStore,
  exchange: Exchange,
  body: unknown,
): Promise<void> {
  const request = parseBody(responseSchema, body);
  const model = loadedModel(context);
  const format = request.prompt_format ?? context.defaultFormat();
  const earlier = request.previous_response_id === undefined ? [] : store.get(request.previous_response_id);
  const conversation = [...earlier, ...inputMessages(request.input)];
  // Instructions hold for this response only; OpenAI does not carry them over either.
  const instructions: PromptMessage[] =
    request.instructions === undefined ? [] : [{ role: 'system', content: request.instructions }];
  const prompt = context.engine.prompt([...instructions, ...conversation], format);
  const generation = generationOf(request, format, request.max_output_tokens);
  const id = `resp_${randomUUID().replaceAll('-', '')}`;
  const messageId = `msg_${randomUUID().replaceAll('-', '')}`;
  const createdAt = Math.floor(Date.now() / 1000);

  const part = (text: string): object => ({ type: 'output_text', text, annotations: [], logprobs: [] });
  const message = (status: string, content: readonly object[]): object => ({
    type: 'message',
    id: messageId,
    role: 'assistant',
    status,
    content,
  });
  const response = (result: GenerateResult | null): object => {
    const cut = result !== null && finishReasonOf(result.stats.finishReason) === 'length';
    const status = result === null ? 'in_progress' : cut ? 'incomplete' : 'completed';
    return {
      id,
      object: 'response',
      created_at: createdAt,
      status,
      error: null,
      incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
      instructions: request.instructions ?? null,
      max_output_tokens: request.max_output_tokens ?? null,
      metadata: {},
      model: request.model ?? model.name,
      output: result === null ? [] : [message(cut ? 'incomplete' : 'completed', [part(result.text)])],
      parallel_tool_calls: false,
      previous_response_id: request.previous_response_id ?? null,
      temperature: generation.sampling.temperature,
      tool_choice: 'none',
      tools: [],
      top_p: generation.sampling.topP,
      usage: result && {
        input_tokens: result.stats.promptTokens,
        input_tokens_details: { cached_tokens: result.stats.reusedTokens },
        output_tokens: result.stats.outputTokens,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: result.stats.promptTokens + result.stats.outputTokens,
      },
    };
  };
  const remember = (result: GenerateResult): void => {
    if (request.store !== false) store.set(id, [...conversation, { role: 'assistant', content: result.text }]);
  };
  const one = async (onText?: (text: string) => void): Promise<GenerateResult> => {
    const options = { logprobs: 0, onFrame: onText && ((_: number, frame: { text: string }) => onText(frame.text)) };
    const [result] = await generateChoices(context, exchange, prompt, { ...generation, choices: 1 }, options);
    return result as GenerateResult;
  };

  if (request.stream !== true) {
    const result = await one();
    remember(result);
    sendJson(exchange, 200, response(result));
    return;
  }

  await streamEvents(
    exchange,
    async (send) => {
      let sequence = 0;
      let isOpen = false;
      const event = (type: string, fields: object): void => send({ type, sequence_number: sequence++, ...fields });
      const at = { item_id: messageId, output_index: 0, content_index: 0 };
      const open = (): void => {
        if (isOpen) return;
        isOpen = true;
        event('response.created', { response: response(null) });
        event('response.in_progress', { response: response(null) });
        event('response.output_item.added', { output_index: 0, item: message('in_progress', []) });
        event('response.content_part.added', { ...at, part: part('') });
      };
      const result = await one((text) => {
        open();
        if (text !== '') event('response.output_text.delta', { ...at, delta: text, logprobs: [] });
      });
      open();
      remember(result);
      const status = finishReasonOf(result.stats.finishReason) === 'length' ? 'incomplete' : 'completed';
      event('response.output_text.done', { ...at, text: result.text, logprobs: [] });
      event('response.content_part.done', { ...at, part: part(result.text) });
      event('response.output_item.done', { output_index: 0, item: message(status, [part(result.text)]) });
      event(`response.${status}`, { response: response(result) });
    },
    'typed',
  );
}
