/** POST /v1/chat/completions. */
import { randomUUID } from 'node:crypto';

import type { GeneratedToken, GenerateResult, PromptMessage } from '../engine/engineApi.ts';
import { badRequest } from './apiErrors.ts';
import { chatLogprobs, fingerprintOf, finishReasonOf, generateChoices, loadedModel, usageOf } from './choices.ts';
import type { ApiContext, Exchange } from './exchange.ts';
import { sendJson, streamEvents } from './exchange.ts';
import type { GrammarSpec } from './grammar.ts';
import { chatSchema, generationOf, parseBody } from './requests.ts';
import type { ChatRequest } from './requests.ts';
import { parseToolCalls, toolCallsText, toolGrammar, toolInstructions, toolUseOf } from './tools.ts';
import type { ToolCall, ToolUse } from './tools.ts';

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
    if (message.role !== 'assistant') return { role: 'user', content };
    return { role: 'assistant', content: content + toolCallsText(message.tool_calls ?? []) };
  });
}

/** The grammar an answer must follow, if any. Tools win: their calls are JSON by themselves. */
function grammarOf(request: ChatRequest, tools: ToolUse | null): GrammarSpec | null {
  if (tools !== null) return toolGrammar(tools);
  switch (request.response_format?.type) {
    case undefined:
    case 'text':
      return null;
    case 'json_object':
      return { kind: 'json' };
    case 'json_schema': {
      const given = request.response_format.json_schema;
      return { kind: 'schema', schema: typeof given['schema'] === 'object' ? (given['schema'] ?? {}) : given };
    }
  }
}

interface Answer {
  readonly content: string | null;
  readonly toolCalls: readonly ToolCall[];
  readonly finish: string;
}

function answerOf(result: GenerateResult, tools: ToolUse | null): Answer {
  const finish = finishReasonOf(result.stats.finishReason);
  if (tools === null) return { content: result.text, toolCalls: [], finish };
  const { text, calls } = parseToolCalls(result.text, tools);
  if (calls.length === 0) return { content: text, toolCalls: [], finish };
  return { content: text === '' ? null : text, toolCalls: calls, finish: 'tool_calls' };
}

export async function chatCompletion(context: ApiContext, exchange: Exchange, body: unknown): Promise<void> {
  const request = parseBody(chatSchema, body);
  if (request.top_logprobs !== undefined && request.logprobs !== true) {
    throw badRequest('top_logprobs needs logprobs: true.', 'top_logprobs');
  }
  const tools = toolUseOf(request.tools, request.tool_choice);
  const model = loadedModel(context);
  const format = request.prompt_format ?? request.chat_template_kwargs?.format ?? context.defaultFormat();
  const messages = promptMessages(request.messages);
  const prompt = context.engine.prompt(tools === null ? messages : [toolInstructions(tools), ...messages], format);
  const generation = generationOf(request, format, request.max_completion_tokens ?? request.max_tokens);
  const withLogprobs = request.logprobs === true;
  const options = { logprobs: withLogprobs ? (request.top_logprobs ?? 0) : 0, grammar: grammarOf(request, tools) };
  const head = {
    id: `chatcmpl-${randomUUID().replaceAll('-', '')}`,
    created: Math.floor(Date.now() / 1000),
    model: request.model ?? model.name,
    system_fingerprint: fingerprintOf(context, model),
  };
  const logprobsOf = (tokens: readonly GeneratedToken[]): object | null =>
    withLogprobs ? chatLogprobs(context.engine.tokenizer(), tokens) : null;

  if (request.stream !== true) {
    const results = await generateChoices(context, exchange, prompt, generation, options);
    sendJson(exchange, 200, {
      ...head,
      object: 'chat.completion',
      choices: results.map((result, index) => {
        const { content, toolCalls, finish } = answerOf(result, tools);
        const calls = toolCalls.length === 0 ? {} : { tool_calls: toolCalls };
        return {
          index,
          message: { role: 'assistant', content, refusal: null, ...calls },
          logprobs: logprobsOf(result.tokens),
          finish_reason: finish,
        };
      }),
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
      chunk(index, { role: 'assistant', content: tools === null ? '' : null }, null, null);
    };
    const results = await generateChoices(context, exchange, prompt, generation, {
      ...options,
      onFrame: (index, frame) => {
        start(index);
        // With tools the text may turn out to be a call: it is held back until it is whole.
        if (tools === null && (frame.text !== '' || (withLogprobs && frame.tokens.length > 0))) {
          chunk(index, { content: frame.text }, logprobsOf(frame.tokens), null);
        }
      },
    });
    results.forEach((result, index) => {
      start(index);
      const { content, toolCalls, finish } = answerOf(result, tools);
      if (tools !== null && content !== null && content !== '')
        chunk(index, { content }, logprobsOf(result.tokens), null);
      toolCalls.forEach((call, at) => {
        const { name, arguments: text } = call.function;
        const first = { index: at, id: call.id, type: 'function', function: { name, arguments: '' } };
        chunk(index, { tool_calls: [first] }, null, null);
        chunk(index, { tool_calls: [{ index: at, function: { arguments: text } }] }, null, null);
      });
      chunk(index, {}, null, finish);
    });
    if (request.stream_options?.include_usage === true) {
      send({ ...head, object: 'chat.completion.chunk', choices: [], usage: usageOf(results) });
    }
  });
}
