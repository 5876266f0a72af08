/** Generating the choices of one request, and describing them in the words of the API. */
import type { FinishReason, LoadedModel } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { Frame, GeneratedToken, GenerateResult, Prompt, Tokenizer } from '../engine/engineApi.ts';
import { ApiError } from './apiErrors.ts';
import type { ApiContext, Exchange } from './exchange.ts';
import type { GrammarSpec } from './grammar.ts';
import type { Generation } from './requests.ts';

export function loadedModel(context: ApiContext): LoadedModel {
  const { status } = context.engine;
  switch (status.state) {
    case 'ready':
      return status.model;
    case 'loading':
      throw new AppError('MODEL_LOADING', 'The model is still being loaded.', { retryable: true });
    case 'lost':
      throw new AppError('DEVICE_LOST', status.error.message);
    case 'empty':
      throw new AppError('NO_MODEL', 'No model is loaded. Load one in the app, or start the server with --model.');
  }
}

/** Why an answer ended that nobody stopped: the model went away under it. */
function interrupted(context: ApiContext, { ending }: Exchange): Error {
  if (ending.aborted) {
    return new ApiError(503, 'server_error', 'The server is being stopped.', {
      code: 'server_stopping',
      retryAfter: 2,
    });
  }
  try {
    loadedModel(context);
  } catch (error) {
    if (error instanceof Error) return error;
  }
  return new ApiError(503, 'server_error', 'The model was replaced while it answered. Ask again.', {
    code: 'model_replaced',
    retryAfter: 1,
  });
}

/** Generates `generation.choices` answers to one prompt at once; those with a seed get consecutive ones. */
export async function generateChoices(
  context: ApiContext,
  exchange: Exchange,
  prompt: Prompt,
  generation: Generation,
  options: {
    /** Alternatives for each token; null: no log-probabilities are wanted. */
    readonly logprobs: number | null;
    readonly grammar?: GrammarSpec | null;
    readonly onFrame?: ((choice: number, frame: Frame) => void) | undefined;
  },
): Promise<readonly GenerateResult[]> {
  const { sampling } = generation;
  const { onFrame, grammar } = options;
  const { live } = exchange;
  live?.update({ promptTokens: prompt.tokens.length });
  const one = async (choice: number): Promise<GenerateResult> => {
    const constraint = grammar ? await context.grammars().constraint(grammar, options.logprobs === null) : null;
    try {
      return await context.engine.generate({
        ...generation.extra,
        prompt,
        sampling: { ...sampling, seed: sampling.seed === null ? null : (sampling.seed + choice) % 2 ** 32 },
        logprobs: options.logprobs ?? 0,
        signal: AbortSignal.any([exchange.signal, exchange.ending]),
        ...(constraint === null ? {} : { constraint }),
        onPrefill: () => live?.update({ phase: 'reading' }),
        onFrame: (frame) => {
          live?.wrote(frame.tokens.length);
          onFrame?.(choice, frame);
        },
      });
    } finally {
      constraint?.dispose();
    }
  };
  const first = generation.choices > 1 ? await readOnly(context, exchange, prompt, generation) : null;
  const results = await Promise.all(Array.from({ length: generation.choices }, (_, choice) => one(choice)));
  if (results.some(({ stats }) => stats.finishReason === 'cancelled') && !exchange.signal.aborted)
    throw interrupted(context, exchange);
  for (const result of results) context.metrics.answer(result);
  if (first === null) return results;
  // What the choices found read was read for this very request.
  return results.map((result) => ({ ...result, stats: { ...result.stats, reusedTokens: first.stats.reusedTokens } }));
}

/** Reads a prompt and writes nothing, so that several choices start from one checkpoint. */
async function readOnly(
  { engine }: ApiContext,
  { signal, ending }: Exchange,
  prompt: Prompt,
  { sampling }: Generation,
): Promise<GenerateResult> {
  return engine.generate({
    prompt,
    sampling: { ...sampling, maxNewTokens: 0 },
    signal: AbortSignal.any([signal, ending]),
  });
}

export function finishReasonOf(reason: FinishReason): 'stop' | 'length' {
  return reason === 'length' || reason === 'context' ? 'length' : 'stop';
}

/** Of the choices of one or several prompts; a prompt shared by several choices is counted once. */
export function usageOf(...prompts: readonly (readonly GenerateResult[])[]): object {
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  const promptTokens = sum(prompts.map(([first]) => first?.stats.promptTokens ?? 0));
  const completionTokens = sum(prompts.flat().map(({ stats }) => stats.outputTokens));
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: sum(prompts.map(([first]) => first?.stats.reusedTokens ?? 0)) },
  };
}

export function fingerprintOf(context: ApiContext, model: LoadedModel): string {
  return `nf-${context.version}-${model.device}-${model.format}`;
}

/** chat.completions' form: one entry per token, with bytes, because a token may end inside a character. */
export function chatLogprobs(tokenizer: Tokenizer, tokens: readonly GeneratedToken[]): object {
  const entry = (token: number, logprob: number) => ({
    token: tokenizer.decode([token]),
    logprob: Math.max(logprob, -9999),
    bytes: [...tokenizer.bytes(token)],
  });
  return {
    content: tokens.map(({ token, logprob, top }) => ({
      ...entry(token, logprob),
      top_logprobs: top.map((alternative) => entry(alternative.token, alternative.logprob)),
    })),
    refusal: null,
  };
}

/** completions' form: parallel arrays, and offsets into the text. */
export function completionLogprobs(tokenizer: Tokenizer, tokens: readonly GeneratedToken[], offset: number): object {
  const texts = tokens.map(({ token }) => tokenizer.decode([token]));
  let at = offset;
  const offsets = texts.map((text) => {
    const start = at;
    at += text.length;
    return start;
  });
  return {
    tokens: texts,
    token_logprobs: tokens.map(({ logprob }) => Math.max(logprob, -9999)),
    top_logprobs: tokens.map(({ top }) =>
      Object.fromEntries(top.map(({ token, logprob }) => [tokenizer.decode([token]), Math.max(logprob, -9999)])),
    ),
    text_offset: offsets,
  };
}
