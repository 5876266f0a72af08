/** The OpenAI-compatible API as a handler of HTTP requests: a second caller of the engine service. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import type { LoadedModel, PromptFormat, SamplingPreset } from '../contract/domain.ts';
import type { EngineService } from '../engine/engineApi.ts';
import { ApiError, badRequest, toApiError } from './apiErrors.ts';
import { chatCompletion } from './chatCompletions.ts';
import { loadedModel } from './choices.ts';
import { completion } from './completions.ts';
import type { ApiContext, Exchange } from './exchange.ts';
import { sendJson } from './exchange.ts';
import { GrammarFactory } from './grammar.ts';
import type { GuardOptions } from './guard.ts';
import { checkKey, checkSource, corsHeaders, preflightHeaders } from './guard.ts';
import type { LiveRequest, LiveRequests } from './liveRequests.ts';
import { ServerMetrics } from './metrics.ts';
import { createResponse } from './responses.ts';
import { ResponseStore } from './responseStore.ts';

export interface ApiOptions extends GuardOptions {
  readonly engine: EngineService;
  readonly version: string;
  readonly defaultFormat?: () => PromptFormat;
  readonly presets?: () => readonly SamplingPreset[];
  /** Told of every request that generates. */
  readonly live?: LiveRequests;
  /** Receives what a client must not see: the real cause of an internal error. */
  readonly log?: (message: string, error: unknown) => void;
}

/** A client that does not take what it is sent is not waited for longer. */
const longestEndMs = 2000;
export const maxBodyBytes = 16 * 1024 * 1024;

type Handler = (context: ApiContext, exchange: Exchange, request: IncomingMessage) => Promise<void>;

async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  // Also keeps out forms and text/plain, which a page may post anywhere without asking.
  if (type !== 'application/json') {
    throw new ApiError(415, 'invalid_request_error', 'Send the body as Content-Type: application/json.');
  }
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw new ApiError(415, 'invalid_request_error', `Send the body as it is, without Content-Encoding: ${encoding}.`);
  }
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBodyBytes) {
      throw new ApiError(413, 'invalid_request_error', `The body is larger than ${maxBodyBytes} bytes.`, {
        headers: { connection: 'close' },
      });
    }
    parts.push(part);
  }
  try {
    // Some Windows clients put a byte order mark in front.
    return JSON.parse(
      Buffer.concat(parts)
        .toString('utf8')
        .replace(/^\u{feff}/u, ''),
    );
  } catch {
    throw badRequest('The body is not valid JSON.');
  }
}

function decodePath(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badRequest('The path is not validly encoded.');
  }
}

/** The loaded model as the API lists it: `created` is when this process began to serve. */
function modelObject(context: ApiContext, created: number): object[] {
  const { status } = context.engine;
  return status.state === 'ready' ? [{ id: status.model.name, object: 'model', created, owned_by: 'nvidia' }] : [];
}

function makeRoutes(
  created: number,
  store: ResponseStore,
): Readonly<Record<string, Readonly<Record<string, Handler>>>> {
  const body =
    (answer: (context: ApiContext, exchange: Exchange, body: unknown) => Promise<void>): Handler =>
    async (context, exchange, request) =>
      answer(context, exchange, await readJson(request));
  return {
    '/health': {
      GET: async (context, exchange) => {
        const { state } = context.engine.status;
        sendJson(exchange, state === 'ready' ? 200 : 503, { status: state === 'ready' ? 'ok' : state });
      },
    },
    '/version': { GET: async (context, exchange) => sendJson(exchange, 200, { version: context.version }) },
    '/metrics': {
      GET: async (context, exchange) => {
        const { text, contentType } = await context.metrics.read();
        exchange.response.writeHead(200, { ...exchange.headers, 'content-type': contentType });
        exchange.response.end(text);
      },
    },
    '/models': {
      GET: async (context, exchange) =>
        sendJson(exchange, 200, { object: 'list', data: modelObject(context, created) }),
    },
    '/chat/completions': { POST: body(chatCompletion) },
    '/completions': { POST: body(completion) },
    '/responses': { POST: body(async (context, exchange, value) => createResponse(context, store, exchange, value)) },
  };
}

export class Api {
  readonly #options: ApiOptions;
  readonly #context: ApiContext;
  readonly #created = Math.floor(Date.now() / 1000);
  readonly #routes = makeRoutes(this.#created, new ResponseStore());
  readonly #underWay = new Set<Promise<void>>();
  #ending = new AbortController();
  #grammars: { readonly model: LoadedModel; readonly factory: GrammarFactory } | null = null;

  constructor(options: ApiOptions) {
    this.#options = options;
    // Their thread holds a vocabulary of its own.
    options.engine.onStatus(({ state }) => {
      if (state !== 'ready') this.#closeGrammars();
    });
    this.#context = {
      engine: options.engine,
      version: options.version,
      metrics: new ServerMetrics(options.engine),
      grammars: () => this.#grammarFactory(),
      defaultFormat: options.defaultFormat ?? (() => 'model-card'),
      presets: options.presets ?? (() => []),
    };
  }

  /** One per loaded model, made when first needed. */
  #grammarFactory(): GrammarFactory {
    const model = loadedModel(this.#context);
    const current = this.#grammars;
    if (current !== null && current.model === model && !current.factory.isBroken) return current.factory;
    this.#closeGrammars();
    const factory = new GrammarFactory(this.#options.engine.tokenizer(), model.vocab);
    this.#grammars = { model, factory };
    return factory;
  }

  #closeGrammars(): void {
    void this.#grammars?.factory.close();
    this.#grammars = null;
  }

  /** '/v1/x', '//v1/x' and '/x' are the same: users set base URLs in every way. */
  static path(url: string | undefined): string {
    const path = (url ?? '/').split('?')[0]?.replace(/\/{2,}/g, '/') ?? '/';
    const own = path.replace(/^\/v1(?=\/|$)/, '') || '/';
    return own.length > 1 ? own.replace(/\/$/, '') : own;
  }

  /** Whether a request is meant for the API rather than for the page served beside it. */
  owns(url: string | undefined): boolean {
    const path = Api.path(url);
    return path in this.#routes || path.startsWith('/models/') || /^\/+v1(\/|$)/.test(url ?? '');
  }

  /** Answers one request. Never throws. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answered = this.#answer(request, response);
    this.#underWay.add(answered);
    await answered;
    this.#underWay.delete(answered);
  }

  /** Before a server ends: stops the answers under way, and tells each client why. */
  async endAnswers(): Promise<void> {
    const ending = this.#ending;
    this.#ending = new AbortController();
    ending.abort();
    await Promise.race([Promise.all(this.#underWay), sleep(longestEndMs, undefined, { ref: false })]);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const leaving = new AbortController();
    response.once('close', () => leaving.abort());
    const path = Api.path(request.url);
    const exchange: Exchange = {
      response,
      signal: leaving.signal,
      ending: this.#ending.signal,
      live: null,
      headers: {
        ...corsHeaders(request, this.#options),
        'x-request-id': `req_${randomUUID().replaceAll('-', '')}`,
        'x-content-type-options': 'nosniff',
      },
    };
    let live: LiveRequest | null = null;
    try {
      checkSource(request, this.#options);
      if (request.method === 'OPTIONS') {
        response.writeHead(204, { ...exchange.headers, ...preflightHeaders(request) }).end();
      } else {
        if (path !== '/health') checkKey(request, this.#options);
        live = request.method === 'POST' ? (this.#options.live?.begin(path) ?? null) : null;
        await this.#dispatch(path, { ...exchange, live }, request);
      }
    } catch (error) {
      this.#fail(exchange, error);
    }
    // A client that left before the end got no status, whatever the headers said.
    const hasLeft = !response.headersSent || (response.destroyed && !response.writableFinished);
    const status = live?.view.status ?? (hasLeft ? 499 : response.statusCode);
    if (live !== null) this.#options.live?.end(live, status);
    this.#context.metrics.request(path in this.#routes ? path : 'other', status);
  }

  async #dispatch(path: string, exchange: Exchange, request: IncomingMessage): Promise<void> {
    // The body of an answer to HEAD is left out by itself.
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
    if (path.startsWith('/models/') && method === 'GET') {
      const id = decodePath(path.slice('/models/'.length));
      const found = modelObject(this.#context, this.#created).find((model) => (model as { id: string }).id === id);
      if (found === undefined) {
        throw new ApiError(404, 'not_found_error', `The model '${id}' is not loaded.`, {
          param: 'model',
          code: 'model_not_found',
        });
      }
      return sendJson(exchange, 200, found);
    }
    const methods = Object.hasOwn(this.#routes, path) ? this.#routes[path] : undefined;
    if (methods === undefined)
      throw new ApiError(404, 'not_found_error', `There is nothing at ${request.method} ${path}.`);
    const handler = methods[method];
    if (handler === undefined) {
      throw new ApiError(405, 'invalid_request_error', `Use ${Object.keys(methods).join(' or ')} here.`, {
        headers: { allow: Object.keys(methods).join(', ') },
      });
    }
    await handler(this.#context, exchange, request);
  }

  #fail(exchange: Exchange, error: unknown): void {
    const answer = toApiError(error);
    if (!(error instanceof ApiError) && answer.status >= 500) this.#options.log?.('request failed', error);
    if (exchange.response.headersSent || exchange.response.destroyed) {
      exchange.response.destroy();
      return;
    }
    sendJson({ ...exchange, headers: { ...exchange.headers, ...answer.headers } }, answer.status, answer.body);
  }
}
