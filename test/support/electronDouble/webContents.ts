/** WebContents over a Chromium target: worlds, messages, navigation, pop-ups, crashes. */
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';

import type { CdpSession } from './cdp.ts';
import { decode, encode } from './clone.js';
import { invoke } from './ipcMain.ts';
import type { Frame } from './ipcMain.ts';
import { originOf, toChromium, toElectron } from './pageAddress.ts';
import type { defaultSession } from './session.ts';
import { createPeer, isolatedWorld, pageWorld } from './worlds.js';

const worldName = 'Electron Isolated Context';

interface PausedRequest {
  readonly requestId: string;
  readonly frameId: string;
  readonly resourceType: string;
  readonly request: { readonly url: string; readonly method: string; readonly headers: Record<string, string> };
}
interface Context {
  readonly id: number;
  readonly name: string;
  readonly auxData: { readonly frameId: string };
}
type OpenHandler = (details: { url: string }) => { action: 'allow' | 'deny' };

/** The two scripts that run in every new document, in this order. */
function worldScripts(preloadFile: string): {
  readonly binding: string;
  readonly deliver: string;
  readonly isolated: string;
  readonly page: string;
} {
  const names = Object.fromEntries(
    ['binding', 'deliver', 'toPage', 'toIsolated'].map((name) => [name, `double-${name}-${randomUUID()}`]),
  ) as Record<'binding' | 'deliver' | 'toPage' | 'toIsolated', string>;
  const shared = [encode, decode, createPeer].map((part) => `(${part})`).join(', ');
  const preload = `function (require, module, exports) { ${readFileSync(preloadFile, 'utf8')}\n}`;
  return {
    binding: names.binding,
    deliver: names.deliver,
    isolated: `(${isolatedWorld})(${shared}, ${JSON.stringify(names)}, ${preload});`,
    page: `(${pageWorld})(${shared}, ${JSON.stringify(names)});`,
  };
}

export class DoubleWebContents extends EventEmitter {
  readonly id: number;
  readonly session: typeof defaultSession;
  readonly #preload: string;
  readonly #frames = new Map<string, Frame>();
  readonly #contexts = new Map<number, Context>();
  readonly #openings: ('allow' | 'deny')[] = [];
  #cdp: CdpSession | null = null;
  #openHandler: OpenHandler = () => ({ action: 'allow' });
  #deliver = '';
  #mainFrameId = '';
  /** Navigations that main itself began: these are not announced by will-navigate. */
  #ownNavigations = 0;

  constructor(id: number, session: typeof defaultSession, preload: string) {
    super();
    this.id = id;
    this.session = session;
    this.#preload = preload;
  }

  get mainFrame(): Frame | undefined {
    return this.#frames.get(this.#mainFrameId);
  }

  setWindowOpenHandler(handler: OpenHandler): void {
    this.#openHandler = handler;
  }

  /** Prepares the target before anything of the app is loaded into it. */
  async attach(cdp: CdpSession, targetId: string): Promise<void> {
    this.#cdp = cdp;
    this.#mainFrameId = targetId;
    this.#frames.set(targetId, { url: 'about:blank', origin: 'null', parent: null });
    const scripts = worldScripts(this.#preload);
    this.#deliver = scripts.deliver;

    cdp.on('Runtime.executionContextCreated', ({ context }: { context: Context }) =>
      this.#contexts.set(context.id, context),
    );
    cdp.on('Runtime.executionContextDestroyed', ({ executionContextId }) => this.#contexts.delete(executionContextId));
    cdp.on('Runtime.executionContextsCleared', () => this.#contexts.clear());
    cdp.on(
      'Runtime.bindingCalled',
      ({ payload, executionContextId }) => void this.#onInvoke(payload, executionContextId),
    );
    cdp.on('Fetch.requestPaused', (paused: PausedRequest) => void this.#onRequest(paused));
    cdp.on('Page.frameNavigated', ({ frame }) => {
      const parent = frame.parentId === undefined ? null : (this.#frames.get(frame.parentId) ?? null);
      this.#frames.set(frame.id, { url: toElectron(frame.url), origin: originOf(frame.url), parent });
    });
    cdp.on('Page.windowOpen', ({ url }) => {
      this.#openings.push(this.#openHandler({ url: toElectron(url) }).action);
      this.emit('double-window-open');
    });
    cdp.on('Page.frameDetached', ({ frameId }) => this.#frames.delete(frameId));
    cdp.on('Page.loadEventFired', () => {
      this.emit('did-finish-load');
      process.send?.({ type: 'loaded' });
      this.emit('ready-to-show');
    });
    cdp.on('Inspector.targetCrashed', () => this.emit('render-process-gone', {}, { reason: 'crashed', exitCode: 139 }));

    await Promise.all([
      cdp.send('Page.enable'),
      cdp.send('Runtime.enable'),
      cdp.send('Inspector.enable'),
      cdp.send('Fetch.enable', { patterns: [{ urlPattern: '*', requestStage: 'Request' }] }),
      cdp.send('Runtime.addBinding', { name: scripts.binding, executionContextName: worldName }),
      cdp.send('Page.addScriptToEvaluateOnNewDocument', { source: scripts.isolated, worldName }),
      cdp.send('Page.addScriptToEvaluateOnNewDocument', { source: scripts.page }),
    ]);
  }

  async loadURL(url: string): Promise<void> {
    this.#ownNavigations += 1;
    await this.#cdp?.send('Page.navigate', { url: toChromium(url) });
  }

  reload(): void {
    this.#ownNavigations += 1;
    void this.#cdp?.send('Page.reload');
  }

  /** Only the preload script's world hears it. A page that is just being replaced hears nothing. */
  send(channel: string, ...args: unknown[]): void {
    this.#evaluate(this.#isolatedContext(this.#mainFrameId), encode({ channel, value: args }));
  }

  /** Whether the pop-up that was opened last (or is just being reported) may live: the handler's word. */
  async allowsPopUp(): Promise<boolean> {
    if (this.#openings.length === 0) await once(this, 'double-window-open');
    return this.#openings.shift() === 'allow';
  }

  /** As if `frame` of this window had invoked a channel: what a page with a broken sandbox could do. */
  async invokeAs(frame: Frame | null, channel: string, args: readonly unknown[]): Promise<unknown> {
    const text = await invoke({ sender: this, senderFrame: frame }, encode({ id: 0, channel, args }));
    return decode(text);
  }

  #isolatedContext(frameId: string): Context | undefined {
    return [...this.#contexts.values()].find(({ name, auxData }) => name === worldName && auxData.frameId === frameId);
  }

  #evaluate(context: Context | undefined, text: string): void {
    if (context === undefined) return;
    const expression = `globalThis[${JSON.stringify(this.#deliver)}](${JSON.stringify(text)})`;
    void this.#cdp?.send('Runtime.evaluate', { contextId: context.id, expression }).catch(() => undefined);
  }

  async #onInvoke(text: string, contextId: number): Promise<void> {
    const context = this.#contexts.get(contextId);
    const senderFrame = this.#frames.get(context?.auxData.frameId ?? '') ?? null;
    this.#evaluate(context, await invoke({ sender: this, senderFrame }, text));
  }

  async #onRequest(paused: PausedRequest): Promise<void> {
    if (this.#cdp === null) return;
    try {
      if (paused.resourceType === 'Document' && !this.#mayNavigate(paused)) {
        await this.#cdp.send('Fetch.failRequest', { requestId: paused.requestId, errorReason: 'Aborted' });
      } else {
        await this.session.answer(this.#cdp, paused);
      }
    } catch (error) {
      // A request whose page went away in the meantime cannot be answered; anything else is a fault of the double.
      if (!/Invalid InterceptionId|Session with given id not found|Chromium is gone/.test(String(error))) throw error;
    }
  }

  #mayNavigate({ frameId, request }: PausedRequest): boolean {
    const isMainFrame = frameId === this.#mainFrameId;
    if (isMainFrame && this.#ownNavigations > 0) {
      this.#ownNavigations -= 1;
      return true;
    }
    let prevented = false;
    const details = { url: toElectron(request.url), isMainFrame, preventDefault: () => (prevented = true) };
    this.emit('will-frame-navigate', details);
    if (isMainFrame) this.emit('will-navigate', details);
    return !prevented;
  }
}
