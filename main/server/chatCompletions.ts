/** POST /v1/chat/completions. */
import { randomUUID } from 'node:crypto';

import type { GeneratedToken, GenerateResult, PromptMessage } from '../engine/engineApi.ts';
import { badRequest } from './apiErrors.ts';
import { chatLogprobs, fingerprintOf, finishReasonOf, generateChoices, loadedModel, usageOf } from './choices.ts';
import { fitPrompt, withDropped } from './contextFit.ts';
import type { ApiContext, Exchange } from './exchange.ts';
import { sendJson, streamEvents } from './exchange.ts';
import { parseBody } from './requestBody.ts';
import { chatSchema, formatGrammar, generationOf } from './requests.ts';
import type { ChatRequest } from './requests.ts';
import { readToolCalls, ToolCallReader } from './toolCalls.ts';
import type { ToolCall, ToolEvent } from './toolCalls.ts';
import { toolCallsText, toolGrammar, toolInstructions, toolUseOf } from './tools.ts';
import type { ToolUse } from './tools.ts';

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

interface Answer {
  readonly content: string | null;
  readonly toolCalls: readonly ToolCall[];
  readonly finish: string;
}

function answerOf(result: GenerateResult, tools: ToolUse | null): Answer {
  const finish = finishReasonOf(result.stats.finishReason);
  if (tools === null) return { content: result.text, toolCalls: [], finish };
  const { text, calls } = readToolCalls(result.text, tools);
  if (calls.length === 0) return { content: text, toolCalls: [], finish };
  // A call that is not whole is no call to make.
  return { content: text === '' ? null : text, toolCalls: calls, finish: finish === 'stop' ? 'tool_calls' : finish };
}

/** The same for every chunk of a stream, and for a whole answer. */
interface Head {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint: string;
}

/** One choice of a stream: role first, then text and calls as they become certain, then why it ended. */
class ChoiceStream {
  readonly #send: (delta: object, logprobs: object | null, finish: string | null) => void;
  readonly #reader: ToolCallReader | null;
  #isOpen = false;

  constructor(tools: ToolUse | null, send: (delta: object, logprobs: object | null, finish: string | null) => void) {
    this.#send = send;
    this.#reader = tools && new ToolCallReader(tools);
  }

  write(text: string, logprobs: object | null): void {
    this.#open();
    if (this.#reader === null) {
      if (text !== '' || logprobs !== null) this.#send({ content: text }, logprobs, null);
      return;
    }
    const events = this.#reader.push(text);
    events.forEach((event, index) => this.#tell(event, index === 0 ? logprobs : null));
    if (events.length === 0 && logprobs !== null) this.#send({}, logprobs, null);
  }

  end(finish: string): void {
    this.#open();
    for (const event of this.#reader?.finish() ?? []) this.#tell(event, null);
    this.#send({}, null, finish);
  }

  #open(): void {
    if (!this.#isOpen) this.#send({ role: 'assistant', content: this.#reader === null ? '' : null }, null, null);
    this.#isOpen = true;
  }

  #tell(event: ToolEvent, logprobs: object | null): void {
    if (event.kind === 'text') return this.#send({ content: event.text }, logprobs, null);
    const { index } = event;
    const call =
      event.kind === 'call'
        ? { index, id: event.id, type: 'function', function: { name: event.name, arguments: '' } }
        : { index, function: { arguments: event.text } };
    this.#send({ tool_calls: [call] }, logprobs, null);
  }
}

/** What a client asked for, in the engine's words. */
function planOf(context: ApiContext, request: ChatRequest) {
  if (request.top_logprobs !== undefined && request.logprobs !== true) {
    throw badRequest('top_logprobs needs logprobs: true.', 'top_logprobs');
  }
  const tools = toolUseOf(request.tools, request.tool_choice);
  const format = request.prompt_format ?? request.chat_template_kwargs?.format ?? context.defaultFormat();
  const maxTokens = request.max_completion_tokens ?? request.max_tokens;
  const generation = generationOf(request, format, maxTokens, context.presets());
  const messages = promptMessages(request.messages);
  const { prompt, dropped } = fitPrompt(
    context.engine,
    tools === null ? messages : [toolInstructions(tools), ...messages],
    { format, policy: request.context_policy ?? 'stop', reserve: generation.sampling.maxNewTokens },
  );
  const logprobs = request.logprobs === true ? (request.top_logprobs ?? 0) : null;
  return {
    tools,
    generation,
    prompt,
    dropped,
    options: { logprobs, grammar: tools === null ? formatGrammar(request.response_format) : toolGrammar(tools) },
  };
}

export async function chatCompletion(context: ApiContext, exchange: Exchange, body: unknown): Promise<void> {
  const request = parseBody(chatSchema, body);
  const model = loadedModel(context);
  const plan = planOf(context, request);
  const head: Head = {
    id: `chatcmpl-${randomUUID().replaceAll('-', '')}`,
    created: Math.floor(Date.now() / 1000),
    model: request.model ?? model.name,
    system_fingerprint: fingerprintOf(context, model),
  };
  const said = plan.dropped === 0 ? exchange : withDropped(exchange, plan.dropped);
  const logprobsOf = (tokens: readonly GeneratedToken[]): object | null =>
    request.logprobs === true ? chatLogprobs(context.engine.tokenizer(), tokens) : null;
  if (request.stream === true) return streamChat(context, said, { request, plan, head, logprobsOf });

  const { tools, generation, prompt, options } = plan;
  const results = await generateChoices(context, said, prompt, generation, options);
  sendJson(said, 200, {
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
}

async function streamChat(
  context: ApiContext,
  exchange: Exchange,
  {
    request,
    plan,
    head,
    logprobsOf,
  }: {
    request: ChatRequest;
    plan: ReturnType<typeof planOf>;
    head: Head;
    logprobsOf: (tokens: readonly GeneratedToken[]) => object | null;
  },
): Promise<void> {
  const { tools, generation, prompt, options } = plan;
  await streamEvents(exchange, async (send) => {
    const choices = Array.from({ length: generation.choices }, (_, index) => {
      return new ChoiceStream(tools, (delta, logprobs, finish) =>
        send({
          ...head,
          object: 'chat.completion.chunk',
          choices: [{ index, delta, logprobs, finish_reason: finish }],
        }),
      );
    });
    const results = await generateChoices(context, exchange, prompt, generation, {
      ...options,
      onFrame: (index, { text, tokens }) => choices[index]?.write(text, tokens.length > 0 ? logprobsOf(tokens) : null),
    });
    results.forEach((result, index) => choices[index]?.end(answerOf(result, tools).finish));
    if (request.stream_options?.include_usage === true) {
      send({ ...head, object: 'chat.completion.chunk', choices: [], usage: usageOf(results) });
    }
  });
}
