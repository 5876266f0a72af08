/** The router on Electron's two channels; the only user of ipcMain. */
import { ipcMain } from 'electron';
import type { IpcMainInvokeEvent, WebContents } from 'electron';

import type { Envelope } from '../contract/errors.ts';
import { eventChannel, requestChannel } from '../contract/wire.ts';
import { refusal } from './router.ts';
import type { Router } from './router.ts';

export interface ElectronTransport {
  /** Only pages of known windows may ask; a window is forgotten when it is destroyed. */
  addWindow(contents: WebContents): void;
  close(): void;
}

/** The main frame of a known window, showing our own page. A frame that is already gone (null) is a stranger too. */
function isTrusted(
  { sender, senderFrame }: IpcMainInvokeEvent,
  known: ReadonlySet<WebContents>,
  origin: string,
): boolean {
  return known.has(sender) && senderFrame !== null && senderFrame.parent === null && senderFrame.origin === origin;
}

/**
 * The window may ask before the services behind the router are there: requests wait for them. When they cannot be
 * built, `router` rejects and each request is answered by `onBroken`.
 */
export function connectElectron(
  router: Promise<Router>,
  origin: string,
  onBroken: (error: unknown) => Envelope<never>,
): ElectronTransport {
  const known = new Set<WebContents>();
  let unsubscribe = (): void => undefined;
  let closed = false;

  ipcMain.handle(requestChannel, async (call, route: unknown, input: unknown): Promise<Envelope<unknown>> => {
    if (!isTrusted(call, known, origin)) return refusal('FORBIDDEN', 'Only the window of Nemoflash may ask.');
    return router.then((ready) => ready.request(route, input), onBroken);
  });
  router.then(
    (ready) => {
      if (closed) return;
      unsubscribe = ready.events.subscribe((event, payload) => {
        for (const contents of known) contents.send(eventChannel, event, payload);
      });
    },
    () => undefined, // each request says so
  );

  return {
    addWindow(contents) {
      known.add(contents);
      contents.once('destroyed', () => known.delete(contents));
    },
    close() {
      closed = true;
      unsubscribe();
      ipcMain.removeHandler(requestChannel);
    },
  };
}
