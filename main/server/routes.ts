/** Which path and method is answered by what. */
import type { IncomingMessage } from 'node:http';

import { ApiError, badRequest } from './apiErrors.ts';
import { chatCompletion } from './chatCompletions.ts';
import { completion } from './completions.ts';
import type { ApiContext, Exchange } from './exchange.ts';
import { sendJson } from './exchange.ts';
import { readJson } from './requestBody.ts';
import { createResponse } from './responses.ts';
import { ResponseStore } from './responseStore.ts';

type Handler = (context: ApiContext, exchange: Exchange, request: IncomingMessage) => Promise<void>;
type Methods = Readonly<Record<string, Handler>>;

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

function models(created: number): Methods {
  return {
    GET: async (context, exchange) => sendJson(exchange, 200, { object: 'list', data: modelObject(context, created) }),
  };
}

function model(id: string, created: number): Methods {
  return {
    GET: async (context, exchange) => {
      const found = modelObject(context, created).find((one) => (one as { id: string }).id === id);
      if (found === undefined) {
        throw new ApiError(404, 'not_found_error', `The model '${id}' is not loaded.`, {
          param: 'model',
          code: 'model_not_found',
        });
      }
      sendJson(exchange, 200, found);
    },
  };
}

const health: Handler = async (context, exchange) => {
  const { state } = context.engine.status;
  sendJson(exchange, state === 'ready' ? 200 : 503, { status: state === 'ready' ? 'ok' : state });
};

const metrics: Handler = async (context, exchange) => {
  const { text, contentType } = await context.metrics.read();
  exchange.response.writeHead(200, { ...exchange.headers, 'content-type': contentType });
  exchange.response.end(text);
};

const body =
  (answer: (context: ApiContext, exchange: Exchange, body: unknown) => Promise<void>): Handler =>
  async (context, exchange, request) =>
    answer(context, exchange, await readJson(request));

export class Routes {
  /** When this process began to serve, in seconds. */
  readonly #created = Math.floor(Date.now() / 1000);
  readonly #byPath: Readonly<Record<string, Methods>>;

  constructor() {
    const store = new ResponseStore();
    this.#byPath = {
      '/health': { GET: health },
      '/version': { GET: async (context, exchange) => sendJson(exchange, 200, { version: context.version }) },
      '/metrics': { GET: metrics },
      '/models': models(this.#created),
      '/chat/completions': { POST: body(chatCompletion) },
      '/completions': { POST: body(completion) },
      '/responses': { POST: body(async (context, exchange, value) => createResponse(context, store, exchange, value)) },
    };
  }

  /** The path itself when something is there for everybody, else 'other': models are not counted by name. */
  nameOf(path: string): string {
    return Object.hasOwn(this.#byPath, path) ? path : 'other';
  }

  /** Throws 404 and 405 in the words of the API. */
  async answer(context: ApiContext, path: string, exchange: Exchange, request: IncomingMessage): Promise<void> {
    const methods = path.startsWith('/models/')
      ? model(decodePath(path.slice('/models/'.length)), this.#created)
      : Object.hasOwn(this.#byPath, path)
        ? this.#byPath[path]
        : undefined;
    if (methods === undefined)
      throw new ApiError(404, 'not_found_error', `There is nothing at ${request.method} ${path}.`);
    // The body of an answer to HEAD is left out by itself.
    const handler = methods[request.method === 'HEAD' ? 'GET' : (request.method ?? '')];
    if (handler === undefined) {
      throw new ApiError(405, 'invalid_request_error', `Use ${Object.keys(methods).join(' or ')} here.`, {
        headers: { allow: Object.keys(methods).join(', ') },
      });
    }
    await handler(context, exchange, request);
  }
}
