/** A handler for every route, for tests of what lies around them: each refuses until a test puts its own in place. */
import { AppError } from '../../main/contract/errors.ts';
import { routes } from '../../main/contract/ipc.ts';
import { createEvents, createRouter } from '../../main/ipc/router.ts';
import type { Handlers, OnUnexpected, Router } from '../../main/ipc/router.ts';

export function handlersWith(own: Partial<Handlers>): Handlers {
  const refuse = (): never => {
    throw new AppError('UNSUPPORTED', 'This test has no such handler.');
  };
  return { ...Object.fromEntries(Object.keys(routes).map((name) => [name, refuse])), ...own } as Handlers;
}

export function routerWith(own: Partial<Handlers>, onUnexpected: OnUnexpected = () => undefined): Router {
  return createRouter(handlersWith(own), createEvents(onUnexpected), onUnexpected);
}
