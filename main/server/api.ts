/** The OpenAI-compatible API as a handler of HTTP requests: a second caller of the engine service. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import type { LoadedModel, PromptFormat, SamplingPreset } from '../contract/domain.ts';
import type { EngineService } from '../engine/engineApi.ts';
import { ApiError, toApiError } from './apiErrors.ts';
import { loadedModel } from './choices.ts';
import type { ApiContext, Exchange } from './exchange.ts';
import { sendJson } from './exchange.ts';
import { GrammarFactory } from './grammar.ts';
import type { GuardOptions } from './guard.ts';
import { checkKey, checkSource, corsHeaders, preflightHeaders } from './guard.ts';
import type { LiveRequest, LiveRequests } from './liveRequests.ts';
import { ServerMetrics } from './metrics.ts';
import { Routes } from './routes.ts';

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

export class Api {
  readonly #options: ApiOptions;
  readonly #context: ApiContext;
  readonly #routes = new Routes();
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
    return this.#routes.nameOf(path) !== 'other' || path.startsWith('/models/') || /^\/+v1(\/|$)/.test(url ?? '');
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
        await this.#routes.answer(this.#context, path, { ...exchange, live }, request);
      }
    } catch (error) {
      this.#fail(exchange, error);
    }
    // A client that left before the end got no status, whatever the headers said.
    const hasLeft = !response.headersSent || (response.destroyed && !response.writableFinished);
    const status = live?.view.status ?? (hasLeft ? 499 : response.statusCode);
    if (live !== null) this.#options.live?.end(live, status);
    this.#context.metrics.request(this.#routes.nameOf(path), status);
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
