/** Session: protocol handlers, permissions and the request filter, as far as the app uses them. */
import { EventEmitter } from 'node:events';

import type { CdpSession } from './cdp.ts';
import { toElectron } from './pageAddress.ts';

type ProtocolHandler = (request: Request) => Response | Promise<Response>;
type RequestFilter = (details: { url: string }, callback: (answer: { cancel?: boolean }) => void) => void;
type PermissionCheck = (contents: null, permission: string, origin: string, details: object) => boolean;

/** Electron's permission names and Chromium's. */
const permissions: Readonly<Record<string, string>> = {
  'clipboard-sanitized-write': 'clipboard-write',
  'clipboard-read': 'clipboard-read',
  geolocation: 'geolocation',
  notifications: 'notifications',
  midi: 'midi',
  media: 'camera',
};

interface PausedRequest {
  readonly requestId: string;
  readonly request: { readonly url: string; readonly method: string; readonly headers: Record<string, string> };
}

class DoubleSession extends EventEmitter {
  readonly #handlers = new Map<string, ProtocolHandler>();
  #filter: RequestFilter = (_details, callback) => callback({});
  #check: PermissionCheck = () => true;

  readonly protocol = {
    handle: (scheme: string, handler: ProtocolHandler): void => {
      this.#handlers.set(scheme, handler);
    },
  };
  readonly webRequest = {
    onBeforeRequest: (filter: RequestFilter): void => {
      this.#filter = filter;
    },
  };

  setPermissionRequestHandler(): void {
    // Chromium asks nobody in a headless window: what the check handler says is set beforehand.
  }

  setPermissionCheckHandler(check: PermissionCheck): void {
    this.#check = check;
  }

  setDevicePermissionHandler(): void {}

  async applyPermissions(browser: CdpSession): Promise<void> {
    for (const [name, chromiumName] of Object.entries(permissions)) {
      const setting = this.#check(null, name, '', {}) ? 'granted' : 'denied';
      await browser.send('Browser.setPermission', { permission: { name: chromiumName }, setting });
    }
  }

  /** Answers an intercepted request as Electron's network layer would: filter first, then the scheme's handler. */
  async answer(cdp: CdpSession, { requestId, request }: PausedRequest): Promise<void> {
    const url = toElectron(request.url);
    const fail = (errorReason: string) => cdp.send('Fetch.failRequest', { requestId, errorReason });
    const cancelled = await new Promise<boolean>((resolve) =>
      this.#filter({ url }, ({ cancel }) => resolve(cancel === true)),
    );
    if (cancelled) return void (await fail('BlockedByClient'));
    const handler = this.#handlers.get(url.slice(0, url.indexOf(':')));
    if (handler === undefined) return void (await fail('NameNotResolved'));
    const response = await handler(new Request(url, { method: request.method, headers: request.headers }));
    await cdp.send('Fetch.fulfillRequest', {
      requestId,
      responseCode: response.status,
      responseHeaders: [...response.headers].map(([name, value]) => ({ name, value })),
      body: Buffer.from(await response.arrayBuffer()).toString('base64'),
    });
  }
}

export const defaultSession = new DoubleSession();
