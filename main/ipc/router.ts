/** From a route's name and unknown input to an envelope. Knows no transport: these check the sender and call in here. */
import type { z } from 'zod';

import { AppError } from '../contract/errors.ts';
import type { Envelope, ErrorCode } from '../contract/errors.ts';
import { routes } from '../contract/ipc.ts';
import type { EventName, Events, ParsedRequest, Reply, RouteName } from '../contract/ipc.ts';

/** One function per route: forgetting one, adding an unknown one or returning the wrong reply does not compile. */
export type Handlers = {
  readonly [N in RouteName]: (input: ParsedRequest<N>) => Reply<N> | Promise<Reply<N>>;
};

export type EventListener = <E extends EventName>(event: E, payload: Events[E]) => void;

export interface Router {
  /** Never throws and never rejects: every failure is an envelope. */
  request(route: unknown, input: unknown): Promise<Envelope<unknown>>;
  /** A listener that throws does not keep the event from the others. */
  publish<E extends EventName>(event: E, payload: Events[E]): void;
  /** Transports subscribe to all events. Returns the function that ends the subscription. */
  subscribe(listener: EventListener): () => void;
}

export function refusal(code: ErrorCode, message: string): Envelope<never> {
  return { ok: false, error: { code, message, retryable: false } };
}

const isRoute = (name: unknown): name is RouteName => typeof name === 'string' && Object.hasOwn(routes, name);

/** Says where and why, never what: the input may hold what somebody wrote. */
function describe(error: z.ZodError): string {
  const shown = error.issues.slice(0, 3).map(({ path, message }) => {
    const place = path.map(String).join('.');
    return place === '' ? message : `${place}: ${message}`;
  });
  const more = error.issues.length - shown.length;
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '');
}

/** `onUnexpected` receives what the page must not see: the real cause of an INTERNAL. */
export function createRouter(handlers: Handlers, onUnexpected: (place: string, error: unknown) => void): Router {
  const listeners = new Set<EventListener>();

  async function request(route: unknown, input: unknown): Promise<Envelope<unknown>> {
    if (!isRoute(route)) {
      return refusal(
        'UNKNOWN_ROUTE',
        'Nemoflash has no such function. The page and the app may be of different versions.',
      );
    }
    const parsed = routes[route].request.safeParse(input);
    if (!parsed.success) return refusal('BAD_REQUEST', `Not a valid ${route}: ${describe(parsed.error)}.`);
    try {
      // The map's type ties each handler to its own input; seen by a union of names it accepts none.
      const handler = handlers[route] as (input: unknown) => unknown;
      return { ok: true, value: await handler(parsed.data) };
    } catch (error) {
      if (error instanceof AppError) return { ok: false, error: error.info };
      onUnexpected(route, error);
      return refusal('INTERNAL', 'Something went wrong inside Nemoflash. The log has the details.');
    }
  }

  return {
    request,
    publish(event, payload) {
      for (const listener of [...listeners]) {
        try {
          listener(event, payload);
        } catch (error) {
          onUnexpected(event, error);
        }
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
