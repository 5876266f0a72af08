/** POST /v1/completions: text in, its continuation out; prompts as text or as token ids, one or several. */
import { randomUUID } from 'node:crypto';

import type { LoadedModel } from '../contract/domain.ts';
import type { GeneratedToken, GenerateResult, Prompt } from '../engine/engineApi.ts';
import { badRequest } from './apiErrors.ts';
import { completionLogprobs, fingerprintOf, finishReasonOf, generateChoices, loadedModel, usageOf } from './choices.ts';
import type { ApiContext, Exchange } from './exchange.ts';
import { sendJson, streamEvents } from './exchange.ts';
import { fieldsOf, parseBody } from './requestBody.ts';
import { completionSchema, generationOf } from './requests.ts';
import type { CompletionRequest } from './requests.ts';

/** Of one request: as many as may wait at all. */
const maxChoices = 128;
/** Of one request at a time, so that those of others find room beside them. */
const maxAtATime = 16;

const isText = (value: unknown): value is string => typeof value === 'string';
const isTokens = (value: unknown): value is readonly number[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((token) => Number.isInteger(token) && token >= 0 && token < 2 ** 31);

/**
 * The four shapes a prompt may have, as a list of texts and token lists; none is an empty text. By hand, and not by a
 * schema, which takes its time over a million tokens.
 */
function promptsOf(prompt: unknown, choices: number): readonly (string | readonly number[])[] {
  if (prompt === undefined) return [''];
  if (isText(prompt) || isTokens(prompt)) return [prompt];
  if (Array.isArray(prompt) && prompt.length * choices > maxChoices && !prompt.some(Number.isFinite)) {
    throw badRequest(`At most ${maxChoices} answers can be given at once, all prompts and n together.`, 'prompt');
  }
  if (Array.isArray(prompt) && prompt.length > 0 && (prompt.every(isText) || prompt.every(isTokens))) return prompt;
  throw badRequest("'prompt': send a text, texts, a list of token ids, or lists of token ids.", 'prompt');
}

/** The results in the order of the items, so many of which are worked on at a time. */
async function inTurn<T, R>(
  items: readonly T[],
  atATime: number,
  work: (item: T, at: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const left = items.entries();
  const lane = async (): Promise<void> => {
    for (const [at, item] of left) results[at] = await work(item, at);
  };
  await Promise.all(Array.from({ length: Math.min(atATime, items.length) }, lane));
  return results;
}

function refuseUnsupported(request: CompletionRequest): void {
  if ((request.suffix ?? '') !== '') throw badRequest('This model cannot fill in before a suffix.', 'suffix');
  if (request.best_of !== undefined && request.best_of !== (request.n ?? 1)) {
    throw badRequest('best_of must equal n: this server does not rank answers.', 'best_of');
  }
  if (request.echo === true && request.logprobs !== undefined) {
    throw badRequest('echo with logprobs is not supported: prompt tokens are not scored.', 'echo');
  }
}

interface EchoedPrompt {
  readonly prompt: Prompt;
  /** What the answer begins with, when it is asked to repeat the prompt. */
  readonly echo: string;
}

function encodedPrompts(
  { engine }: ApiContext,
  { vocab }: LoadedModel,
  request: CompletionRequest,
  prompts: readonly (string | readonly number[])[],
): EchoedPrompt[] {
  const tokenizer = engine.tokenizer();
  return prompts.map((prompt, index) => {
    const tokens =
      typeof prompt === 'string' ? tokenizer.encode(prompt, { addSpecialTokens: true }) : Int32Array.from(prompt);
    if (tokens.length === 0) throw badRequest('The prompt has no tokens.', 'prompt');
    if (tokens.some((token) => token >= vocab)) {
      throw badRequest(`A token id is outside the vocabulary of ${vocab}.`, `prompt.${index}`);
    }
    const echo = request.echo !== true ? '' : typeof prompt === 'string' ? prompt : tokenizer.decode(prompt);
    return { prompt: { tokens, boundaries: [tokens.length] }, echo };
  });
}

export async function completion(context: ApiContext, exchange: Exchange, body: unknown): Promise<void> {
  const { prompt: given, ...rest } = fieldsOf(body);
  const request = parseBody(completionSchema, rest);
  refuseUnsupported(request);
  const model = loadedModel(context);
  const tokenizer = context.engine.tokenizer();
  const generation = generationOf(request, 'raw', request.max_tokens ?? 16, context.presets());
  const prompts = encodedPrompts(context, model, request, promptsOf(given, generation.choices));
  const head = {
    id: `cmpl-${randomUUID().replaceAll('-', '')}`,
    object: 'text_completion',
    created: Math.floor(Date.now() / 1000),
    model: request.model ?? model.name,
    system_fingerprint: fingerprintOf(context, model),
  };
  const logprobsOf = (tokens: readonly GeneratedToken[], offset: number): object | null =>
    request.logprobs === undefined ? null : completionLogprobs(tokenizer, tokens, offset);
  const run = async (
    onText?: (index: number, text: string, tokens: readonly GeneratedToken[]) => void,
  ): Promise<readonly (readonly GenerateResult[])[]> =>
    inTurn(prompts, Math.ceil(maxAtATime / generation.choices), async ({ prompt }, at) =>
      generateChoices(context, exchange, prompt, generation, {
        logprobs: request.logprobs ?? null,
        onFrame: onText && ((choice, frame) => onText(at * generation.choices + choice, frame.text, frame.tokens)),
      }),
    );
  if (request.stream !== true) {
    const results = await run();
    sendJson(exchange, 200, {
      ...head,
      choices: results.flatMap((choices, at) =>
        choices.map((result, choice) => ({
          index: at * generation.choices + choice,
          text: `${prompts[at]?.echo ?? ''}${result.text}`,
          logprobs: logprobsOf(result.tokens, 0),
          finish_reason: finishReasonOf(result.stats.finishReason),
        })),
      ),
      usage: usageOf(...results),
    });
    return;
  }

  await streamEvents(exchange, async (send) => {
    const lengths = new Map<number, number>();
    const chunk = (index: number, text: string, logprobs: object | null, finish: string | null): void =>
      send({ ...head, choices: [{ index, text, logprobs, finish_reason: finish }] });
    const results = await run((index, text, tokens) => {
      const echo = lengths.has(index) ? '' : (prompts[Math.floor(index / generation.choices)]?.echo ?? '');
      const offset = lengths.get(index) ?? 0;
      lengths.set(index, offset + text.length);
      const logprobs = tokens.length > 0 ? logprobsOf(tokens, offset) : null;
      if (echo !== '' || text !== '' || logprobs !== null) chunk(index, echo + text, logprobs, null);
    });
    results.flat().forEach((result, index) => chunk(index, '', null, finishReasonOf(result.stats.finishReason)));
    if (request.stream_options?.include_usage === true) send({ ...head, choices: [], usage: usageOf(...results) });
  });
}
