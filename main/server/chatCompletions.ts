/** POST /v1/chat/completions. */
import { randomUUID } from 'node:crypto';

import type { PromptMessage } from '../engine/engineApi.ts';
import { badRequest } from './apiErrors.ts';
import { chatLogprobs, fingerprintOf, finishReasonOf, generateChoices, loadedModel, usageOf } from './choices.ts';
import type { ApiContext, Exchange } from './exchange.ts';
import { sendJson, streamEvents } from './exchange.ts';
import { chatSchema, generationOf, parseBody } from './requests.ts';
import type { ChatRequest } from './requests.ts';

/** Texts of a message; other kinds of content are refused, since this model reads nothing else. */
function textOf(content: ChatRequest['messages'][number]['content'], param: string): string {
  if (typeof content === 'string') return content;
  return (content ?? [])
    .map((part, index) => {
      if (part.type !== 'text' || part.text === undefined) {
        throw badRequest(`This model reads text only, not '${part.type}'.`, `${param}.${index}.type`);
      }
      return part.text;
    })
    .join('');
}

export function promptMessages(messages: ChatRequest['messages']): PromptMessage[] {
  return messages.map((message, index) => {
    const content = textOf(message.content, `messages.${index}.content`);
    if (message.role === 'system' || message.role === 'developer') return { role: 'system', content };
    return { role: message.role === 'assistant' ? 'assistant' : 'user', content };
  });
}

/** What this server cannot do yet is refused; doing something else instead would be worse. */
function refuseUnsupported(request: ChatRequest): void {
  const format = request.response_format?.type ?? 'text';
  if (format !== 'text')
    throw badRequest(`response_format '${format}' is not supported; use 'text'.`, 'response_format');
  if ((request.tools?.length ?? 0) > 0 && request.tool_choice !== 'none') {
    throw badRequest("Tools are not supported; send tool_choice 'none' or leave tools out.", 'tools');
  }
  if (request.top_logprobs !== undefined && request.logprobs !== true) {
    throw badRequest('top_logprobs needs logprobs: true.', 'top_logprobs');
  }
}

export async function chatCompletion(context: ApiContext, exchange: Exchange, body: unknown): Promise<void> {
  const request = parseBody(chatSchema, body);
  refuseUnsupported(request);
  const model = loadedModel(context);
  const format = request.prompt_format ?? request.chat_template_kwargs?.format ?? context.defaultFormat();
  const prompt = context.engine.prompt(promptMessages(request.messages), format);
  const generation = generationOf(request, format, request.max_completion_tokens ?? request.max_tokens);
  const withLogprobs = request.logprobs === true;
  const nTop = withLogprobs ? (request.top_logprobs ?? 0) : 0;
  const head = {
    id: `chatcmpl-${randomUUID().replaceAll('-', '')}`,
    created: Math.floor(Date.now() / 1000),
    model: request.model ?? model.name,
    system_fingerprint: fingerprintOf(context, model),
  };
  const logprobsOf = (tokens: Parameters<typeof chatLogprobs>[1]): object | null =>
    withLogprobs ? chatLogprobs(context.engine.tokenizer(), tokens) : null;

  if (request.stream !== true) {
    const results = await generateChoices(context, exchange, prompt, generation, nTop);
    sendJson(exchange, 200, {
      ...head,
      object: 'chat.completion',
      choices: results.map((result, index) => ({
        index,
        message: { role: 'assistant', content: result.text, refusal: null },
        logprobs: logprobsOf(result.tokens),
        finish_reason: finishReasonOf(result.stats.finishReason),
      })),
      usage: usageOf(results),
    });
    return;
  }

  await streamEvents(exchange, async (send) => {
    const started = new Set<number>();
    const chunk = (index: number, delta: object, logprobs: object | null, finish: string | null): void =>
      send({
        ...head,
        object: 'chat.completion.chunk',
        choices: [{ index, delta, logprobs, finish_reason: finish }],
      });
    const start = (index: number): void => {
      if (started.has(index)) return;
      started.add(index);
      chunk(index, { role: 'assistant', content: '' }, null, null);
    };
    const results = await generateChoices(context, exchange, prompt, generation, nTop, (index, frame) => {
      start(index);
      if (frame.text !== '' || (withLogprobs && frame.tokens.length > 0)) {
        chunk(index, { content: frame.text }, logprobsOf(frame.tokens), null);
      }
    });
    results.forEach((result, index) => {
      start(index);
      chunk(index, {}, null, finishReasonOf(result.stats.finishReason));
    });
    if (request.stream_options?.include_usage === true) {
      send({ ...head, object: 'chat.completion.chunk', choices: [], usage: usageOf(results) });
    }
  });
}
