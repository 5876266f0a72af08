/**
 * The model room's only door to the network. It obeys the switch "never use the network", the proxy and the extra
 * certificates, gives the access token to the hub alone, and writes down every request.
 */
import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';

import type { EnvHttpProxyAgent } from 'undici';

import type { HubSettings, RequestPurpose } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { ByteFeed } from './byteFeed.ts';
import { errorFromStatus, errorFromThrown } from './networkErrors.ts';
import type { RequestLog } from './requestLog.ts';

export type Fetch = typeof globalThis.fetch;

/** Loaded with the first request: an app that starts makes none, and should not wait for it. */
const loadUndici = () => import('undici');

export interface NetworkOptions {
  readonly settings: () => HubSettings;
  /** The hub's access token, null without one. Asked at every request, kept nowhere. */
  readonly token: () => string | null;
  readonly log: RequestLog;
}

export interface RequestOptions {
  readonly purpose: RequestPurpose;
  /** Names the thing asked for inside an error's sentence. */
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** An answer whose body is still to be read. `end` must be called, once, whatever happens. */
export interface OpenReply<Body = ReadableStream<Uint8Array> | null> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
  end(receivedBytes: number, problem?: string): void;
}

const publicHub = 'https://huggingface.co';
const connectMs = 15_000;
const headersMs = 30_000;
const smallReplyMs = 60_000;
const maxSmallReplyBytes = 64 * 1024 * 1024;
const loopback = 'localhost,127.0.0.1,[::1]';

export class Network {
  readonly #options: NetworkOptions;
  #agent: { readonly key: string; readonly dispatcher: EnvHttpProxyAgent } | null = null;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  /** Address of the hub, without a slash at its end. */
  get endpoint(): string {
    const address = this.#options.settings().endpoint ?? process.env['HF_ENDPOINT'] ?? '';
    return (address === '' ? publicHub : address).replace(/\/+$/, '');
  }

  /** The same, to be asked. Throws BAD_ARGUMENT when it is no address. */
  get hubUrl(): string {
    if (/^https?:$/.test(URL.parse(this.endpoint)?.protocol ?? '')) return this.endpoint;
    throw new AppError(
      'BAD_ARGUMENT',
      `The hub's address ${JSON.stringify(this.endpoint)} is none: it must begin with http:// or https://. Look at the settings and at HF_ENDPOINT.`,
    );
  }

  get token(): string | null {
    return this.#options.token();
  }

  /** The same settings over connections of its own, with or without the token, for tests. Close it. */
  fresh(withToken: boolean): Network {
    return new Network(withToken ? this.#options : { ...this.#options, token: () => null });
  }

  /** The extra certificates, as PEM; null without. Throws CERTIFICATE. */
  get extraCertificates(): string | null {
    const { caFile } = this.#options.settings();
    return caFile === null ? null : readCertificates(caFile);
  }

  /** Whether any proxy is set, here or in the environment. */
  get hasProxy(): boolean {
    const { env } = process;
    const { proxy } = this.#options.settings();
    return Boolean(proxy ?? env['HTTPS_PROXY'] ?? env['https_proxy'] ?? env['HTTP_PROXY'] ?? env['http_proxy']);
  }

  /** Throws OFFLINE while the switch is on. */
  assertAllowed(): void {
    if (this.#options.settings().offline) {
      throw new AppError(
        'OFFLINE',
        'The switch "never use the network" is on. Turn it off in the settings to download.',
      );
    }
  }

  /**
   * One request, redirects not followed, any status returned. Throws OFFLINE, NETWORK, TIMEOUT, PROXY or CERTIFICATE;
   * a signal's own reason passes through.
   */
  open(url: string, options: RequestOptions): Promise<OpenReply> {
    const { signal } = options;
    return this.#noted(url, options, async (headers) => {
      const { fetch, EnvHttpProxyAgent } = await loadUndici();
      // undici's own types and Node's copies of them differ in name only.
      const call = fetch as unknown as (url: string, init: object) => Promise<Response>;
      const dispatcher = this.#dispatcher(EnvHttpProxyAgent);
      return call(url, { redirect: 'manual', headers, dispatcher, ...(signal ? { signal } : {}) });
    });
  }

  /** `open` for bodies of gigabytes: below fetch, whose streams cost more than the bytes. */
  openFeed(url: string, options: RequestOptions): Promise<OpenReply<ByteFeed>> {
    const { origin, pathname, search } = new URL(url);
    return this.#noted(url, options, async (headers) => {
      const { EnvHttpProxyAgent } = await loadUndici();
      const feed = new ByteFeed(options.signal);
      this.#dispatcher(EnvHttpProxyAgent).dispatch({ origin, path: pathname + search, method: 'GET', headers }, feed);
      return { ...(await feed.head), body: feed };
    });
  }

  /** Sends a request that is allowed, and sees to its line in the log. */
  async #noted<Body>(
    url: string,
    { purpose, headers, signal }: RequestOptions,
    send: (headers: Record<string, string>) => Promise<Omit<OpenReply<Body>, 'end'>>,
  ): Promise<OpenReply<Body>> {
    this.assertAllowed();
    const { host, origin } = new URL(url);
    const at = Date.now();
    const note = (status: number | null, receivedBytes: number, problem: string | null) =>
      this.#options.log.add({ at, host, purpose, status, receivedBytes, durationMs: Date.now() - at, problem });
    const token = origin === new URL(this.hubUrl).origin ? this.token : null;
    try {
      const reply = await send({
        'user-agent': 'nemoflash',
        'accept-encoding': 'identity',
        ...headers,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      });
      return {
        status: reply.status,
        headers: reply.headers,
        body: reply.body,
        end: (receivedBytes, problem) => note(reply.status, receivedBytes, problem ?? null),
      };
    } catch (error) {
      if (signal?.aborted) {
        note(null, 0, 'stopped');
        throw signal.reason;
      }
      const typed = errorFromThrown(error, host, this.hasProxy);
      note(null, 0, typed.code);
      throw typed;
    }
  }

  /** A whole small answer, redirects followed. Throws what `open` throws, and an error for every refusal. */
  async read(url: string, options: RequestOptions): Promise<Response> {
    let target = url;
    for (let hop = 0; hop < 10; hop++) {
      const signal = AbortSignal.any([AbortSignal.timeout(smallReplyMs), ...(options.signal ? [options.signal] : [])]);
      const reply = await this.open(target, { ...options, signal }).catch((error: unknown) => {
        throw this.#named(error, target);
      });
      const bytes = await readAll(reply).catch((error: unknown) => {
        throw this.#named(error, target);
      });
      const location = reply.headers.get('location');
      if (reply.status >= 300 && reply.status < 400 && location !== null) {
        target = new URL(location, target).href;
        continue;
      }
      if (reply.status >= 400) {
        throw errorFromStatus(reply.status, reply.headers, new URL(target).host, options.what);
      }
      return new Response(bytes, { status: reply.status, headers: reply.headers });
    }
    throw new AppError('HUB_ERROR', `${new URL(url).host} redirects ${options.what} in a circle.`, { retryable: true });
  }

  /** `read` in the shape of fetch, for the hub's library. */
  fetchFor(purpose: RequestPurpose, what: string, signal?: AbortSignal): Fetch {
    return async (input, init) => {
      const url = input instanceof Request ? input.url : String(input);
      const headers = Object.fromEntries(new Headers(init?.headers).entries());
      return this.read(url, { purpose, what, headers, signal });
    };
  }

  async close(): Promise<void> {
    const agent = this.#agent;
    this.#agent = null;
    await agent?.dispatcher.destroy();
  }

  #named(error: unknown, url: string): unknown {
    if (error instanceof Error && error.name === 'TimeoutError') {
      return new AppError('TIMEOUT', `${new URL(url).host} did not answer in time.`, { retryable: true, cause: error });
    }
    return error instanceof AppError || (error instanceof Error && error.name === 'AbortError')
      ? error
      : errorFromThrown(error, new URL(url).host, this.hasProxy);
  }

  /** One agent per set of settings: a change closes the old connections once they are done. */
  #dispatcher(Agent: typeof EnvHttpProxyAgent): EnvHttpProxyAgent {
    const { proxy, noProxy, caFile } = this.#options.settings();
    const key = JSON.stringify([proxy, noProxy, caFile]);
    if (this.#agent?.key === key) return this.#agent.dispatcher;
    const own = this.extraCertificates;
    const known = new Set([...getCACertificates('default'), ...getCACertificates('system')]);
    const tls = { ca: own === null ? [...known] : [...known, own] };
    const direct = noProxy ?? process.env['no_proxy'] ?? process.env['NO_PROXY'] ?? '';
    const dispatcher = new Agent({
      ...(proxy === null ? {} : { httpProxy: proxy, httpsProxy: proxy }),
      noProxy: direct === '' ? loopback : `${direct},${loopback}`,
      connect: { ...tls, timeout: connectMs },
      requestTls: { ...tls, timeout: connectMs },
      proxyTls: { ...tls, timeout: connectMs },
      headersTimeout: headersMs,
      // Bodies have their own stall timer, which knows how slow is too slow.
      bodyTimeout: 0,
    });
    void this.#agent?.dispatcher.close();
    this.#agent = { key, dispatcher };
    return dispatcher;
  }
}

function readCertificates(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AppError('CERTIFICATE', `The certificate file ${file} cannot be read. Choose another in the settings.`, {
      cause,
    });
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new AppError('CERTIFICATE', `${file} holds no certificate in PEM form. Choose another file in the settings.`);
  }
  return text;
}

async function readAll(reply: OpenReply): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of reply.body ?? []) {
      size += chunk.byteLength;
      if (size > maxSmallReplyBytes) throw new AppError('HUB_ERROR', 'The hub sent far more than was asked for.');
      chunks.push(chunk);
    }
    reply.end(size);
  } catch (error) {
    reply.end(size, error instanceof AppError ? error.code : 'broken off');
    throw error;
  }
  const all = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return all;
}
