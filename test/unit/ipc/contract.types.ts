/** Checked by the compiler alone (npm run typecheck): what must not compile, does not. Each line expects its error. */
import type { AppInfo, Settings } from '../../../main/contract/domain.ts';
import type { Bridge, Reply, Request } from '../../../main/contract/ipc.ts';
import type { Handlers, Router } from '../../../main/ipc/router.ts';

declare const handlers: Handlers;
declare const bridge: Bridge;
declare const router: Router;
declare const info: AppInfo;

const { 'app.info': _forgotten, ...incomplete } = handlers;
// @ts-expect-error a route without a handler
export const missingRoute: Handlers = incomplete;

// @ts-expect-error a handler without a route
export const surplusRoute: Handlers = { ...handlers, 'app.explode': () => null };

// @ts-expect-error a reply of the wrong type
export const wrongReply: Handlers = { ...handlers, 'chats.remove': () => 'done' };

// @ts-expect-error a handler that expects what its route does not bring
export const wrongInput: Handlers['chats.remove'] = (input: { readonly chat: number }) => (input.chat ? null : null);

export const rightReply: Handlers = { ...handlers, 'app.info': () => info };

// @ts-expect-error the page asks for what is not there
void bridge.request('app.explode', {});

// @ts-expect-error the page leaves out what the route requires
void bridge.request('chat.stop', {});

// @ts-expect-error the page sends the wrong type
export const wrongRequest: Request<'chat.stop'> = { generationId: 7 };

// @ts-expect-error a setting that does not exist
export const wrongSetting: Request<'settings.update'> = { font: 'Comic Sans' };

// @ts-expect-error null is only a reply where the table says so
export const wrongNull: Reply<'app.info'> = null;

// @ts-expect-error an event that does not exist
bridge.on('chat.exploded', () => undefined);

// @ts-expect-error an event's payload of the wrong type
bridge.on('settings.changed', (payload: { readonly colour: string }) => payload);

// @ts-expect-error main publishes the wrong payload
router.events.publish('settings.changed', { theme: 'dark' } satisfies Partial<Settings>);
