/** One request being answered: its identity, its cancellation, and the stream that opens only when there is something to say. */
import type { ServerResponse } from 'node:http';

import type { EngineService } from '../engine/engineApi.ts';
import type { PromptFormat, SamplingPreset } from '../contract/domain.ts';
import { toApiError } from './apiErrors.ts';
import { EventStream } from './eventStream.ts';
import type { EventStyle } from './eventStream.ts';
import type { GrammarFactory } from './grammar.ts';
import type { LiveRequest } from './liveRequests.ts';
import type { ServerMetrics } from './metrics.ts';

export interface ApiContext {
  readonly engine: EngineService;
  readonly version: string;
  readonly metrics: ServerMetrics;
  /** Grammars for the loaded model's vocabulary. */
  readonly grammars: () => GrammarFactory;
  /** Used when a request names none. */
  readonly defaultFormat: () => PromptFormat;
  /** Sampling that a request may name instead of spelling it out. */
  readonly presets: () => readonly SamplingPreset[];
}

export interface Exchange {
  readonly response: ServerResponse;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** Aborted when the server is about to end: the client is told. */
  readonly ending: AbortSignal;
  readonly headers: Readonly<Record<string, string>>;
  /** Told how far it is, for the app's page. */
  readonly live: LiveRequest | null;
}

export function sendJson(exchange: Exchange, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  exchange.response.writeHead(status, {
    ...exchange.headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes.length,
  });
  exchange.response.end(bytes);
}

/** Opened at the first event, so that a refusal before it is still a plain HTTP error; or after this long, for pings. */
const openAfterMs = 5000;

/**
 * Runs `work`, giving it a send function. Errors before the first event are thrown; later ones become an error event.
 */
export async function streamEvents(
  exchange: Exchange,
  work: (send: (event: object) => void) => Promise<void>,
  style: EventStyle = 'plain',
): Promise<void> {
  let stream: EventStream | null = null;
  const open = (): EventStream => (stream ??= new EventStream(exchange.response, exchange.headers, style));
  const timer = setTimeout(open, openAfterMs);
  try {
    await work((event) => {
      if (!exchange.signal.aborted) open().send(event);
    });
    open().done();
  } catch (error) {
    if (stream === null) throw error;
    const failure = toApiError(error);
    (stream as EventStream).fail(failure);
    // The headers said 200; what it came to is another matter.
    exchange.live?.update({ status: failure.status });
  } finally {
    clearTimeout(timer);
  }
}
