/** From a route's name and unknown input to an envelope. Knows no transport: these check the sender and call in here. */
import type { z } from 'zod';

import { AppError } from '../contract/errors.ts';
import type { Envelope, ErrorCode } from '../contract/errors.ts';
import { routes } from '../contract/ipc.ts';
import type { ParsedRequest, Reply, RouteName } from '../contract/ipc.ts';
import type { EventName, Events } from '../contract/ipcEvents.ts';

/** One function per route: forgetting one, adding an unknown one or returning the wrong reply does not compile. */
export type Handlers = {
  readonly [N in RouteName]: (input: ParsedRequest<N>) => Reply<N> | Promise<Reply<N>>;
};

export type EventListener = <E extends EventName>(event: E, payload: Events[E]) => void;

/** Main to page. Made before the services, which publish, and before the router, which serves them. */
export interface EventHub {
  /** A listener that throws does not keep the event from the others. */
  publish<E extends EventName>(event: E, payload: Events[E]): void;
  /** Transports subscribe to all events. Returns the function that ends the subscription. */
  subscribe(listener: EventListener): () => void;
}

export interface Router {
  /** Never throws and never rejects: every failure is an envelope. */
  request(route: unknown, input: unknown): Promise<Envelope<unknown>>;
  readonly events: EventHub;
}

/** Receives what the page must not see: the place and the real cause of an unexpected failure. */
export type OnUnexpected = (place: string, error: unknown) => void;

export function refusal(code: ErrorCode, message: string): Envelope<never> {
  return { ok: false, error: { code, message, retryable: false } };
}

const isRoute = (name: unknown): name is RouteName => typeof name === 'string' && Object.hasOwn(routes, name);

/** Says where and why, never what: the input may hold what somebody wrote. */
function describe(error: z.ZodError): string {
  const shown = error.issues.slice(0, 3).map((issue) => {
    const place = issue.path.map(String).join('.');
    // zod would name the surplus fields, and a name may be anything.
    const why = issue.code === 'unrecognized_keys' ? `${issue.keys.length} unknown` : issue.message;
    return place === '' ? why : `${place}: ${why}`;
  });
  const more = error.issues.length - shown.length;
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '');
}

/** Even the parser may throw: comparing an object that has its own toString with a number does. */
function parse(route: RouteName, input: unknown): { readonly value: unknown } | { readonly problem: string } {
  try {
    const parsed = routes[route].request.safeParse(input);
    return parsed.success ? { value: parsed.data } : { problem: describe(parsed.error) };
  } catch {
    return { problem: 'a value is of a kind that cannot be read' };
  }
}

export function createEvents(onUnexpected: OnUnexpected): EventHub {
  const listeners = new Set<EventListener>();
  return {
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

export function createRouter(handlers: Handlers, events: EventHub, onUnexpected: OnUnexpected): Router {
  return {
    events,
    async request(route, input) {
      if (!isRoute(route)) {
        const why = 'The page and the app may be of different versions: close the window and start Nemoflash again.';
        return refusal('UNKNOWN_ROUTE', `Nemoflash has no such function. ${why}`);
      }
      const parsed = parse(route, input);
      if ('problem' in parsed) return refusal('BAD_REQUEST', `Not a valid ${route}: ${parsed.problem}.`);
      try {
        // The map's type ties each handler to its own input; seen by a union of names it accepts none.
        const handler = handlers[route] as (input: unknown) => unknown;
        return { ok: true, value: await handler(parsed.value) };
      } catch (error) {
        if (error instanceof AppError) return { ok: false, error: error.info };
        onUnexpected(route, error);
        return refusal('INTERNAL', 'Something went wrong inside Nemoflash. The log has the details.');
      }
    },
  };
}
