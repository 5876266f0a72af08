/** BrowserWindow over a Chromium target. Refuses to exist with less protection than the double can show. */
import { EventEmitter } from 'node:events';

import { app } from './app.ts';
import type { CdpSession } from './cdp.ts';
import { defaultSession } from './session.ts';
import { DoubleWebContents } from './webContents.ts';

interface WindowOptions {
  readonly show?: boolean;
  readonly width?: number;
  readonly height?: number;
  readonly x?: number;
  readonly y?: number;
  readonly webPreferences?: Readonly<Record<string, unknown>>;
}

const required = {
  sandbox: true,
  contextIsolation: true,
  nodeIntegration: false,
  webSecurity: true,
  webviewTag: false,
};

const windows = new Map<string, BrowserWindow>();
let lastId = 0;

export class BrowserWindow extends EventEmitter {
  static getAllWindows(): BrowserWindow[] {
    return [...windows.values()];
  }

  readonly webContents: DoubleWebContents;
  readonly #attached: Promise<void>;
  #targetId = '';
  #visible: boolean;
  #destroyed = false;
  readonly #bounds: { x: number; y: number; width: number; height: number };

  constructor(options: WindowOptions) {
    super();
    const { x = 0, y = 0, width = 800, height = 600 } = options;
    this.#bounds = { x, y, width, height };
    app.tell({ type: 'window', bounds: this.#bounds });
    const preferences = options.webPreferences ?? {};
    for (const [name, value] of Object.entries(required)) {
      if (preferences[name] !== value) throw new Error(`The double only shows pages with ${name}: ${value}.`);
    }
    this.#visible = options.show ?? true;
    this.webContents = new DoubleWebContents((lastId += 1), defaultSession, String(preferences['preload']));
    this.webContents.on('ready-to-show', () => this.emit('ready-to-show'));
    app.emit('web-contents-created', {}, this.webContents);
    this.#attached = this.#open(options);
  }

  async loadURL(url: string): Promise<void> {
    await this.#attached;
    await this.webContents.loadURL(url);
  }

  show(): void {
    this.#visible = true;
    app.tell({ type: 'shown' });
  }
  focus(): void {
    app.tell({ type: 'focused' });
  }
  isVisible(): boolean {
    return this.#visible;
  }
  hide(): void {
    this.#visible = false;
    app.tell({ type: 'hidden' });
  }
  maximize(): void {
    app.tell({ type: 'maximized' });
  }
  isMaximized(): boolean {
    return false;
  }
  getNormalBounds(): { x: number; y: number; width: number; height: number } {
    return this.#bounds;
  }
  isMinimized(): boolean {
    return false;
  }
  restore(): void {}
  isDestroyed(): boolean {
    return this.#destroyed;
  }

  async close(): Promise<void> {
    let held = false;
    this.emit('close', { preventDefault: () => (held = true) });
    if (held) return;
    await this.#attached;
    const gone = new Promise<void>((resolve) => void this.once('closed', resolve));
    await app.chromium.connection.browser.send('Target.closeTarget', { targetId: this.#targetId });
    await gone;
  }

  async #open({ width = 800, height = 600 }: WindowOptions): Promise<void> {
    const { browser } = app.chromium.connection;
    await defaultSession.applyPermissions(browser);
    const { targetId } = await browser.send<{ targetId: string }>('Target.createTarget', {
      url: 'about:blank',
      newWindow: true,
      width,
      height,
    });
    this.#targetId = targetId;
    windows.set(targetId, this);
    const { sessionId } = await browser.send<{ sessionId: string }>('Target.attachToTarget', {
      targetId,
      flatten: true,
    });
    const cdp = app.chromium.connection.session(sessionId);
    await this.webContents.attach(cdp, targetId);
  }

  /** Called when the target is gone, whoever closed it. */
  destroyed(): void {
    this.#destroyed = true;
    windows.delete(this.#targetId);
    this.webContents.emit('destroyed');
    this.emit('closed');
    if (windows.size === 0) app.lastWindowClosed();
  }
}

/** Pop-ups appear as targets with an opener; they are held before their first line runs until the handler decides. */
export async function watchTargets(): Promise<void> {
  const { browser } = app.chromium.connection;
  browser.on('Target.targetDestroyed', ({ targetId }) => windows.get(targetId)?.destroyed());
  browser.on('Target.attachedToTarget', ({ sessionId, targetInfo, waitingForDebugger }) => {
    const popUp = app.chromium.connection.session(sessionId);
    const opener = windows.get(targetInfo.openerId ?? '');
    const settled = opener === undefined ? Promise.resolve() : settlePopUp(opener, popUp, targetInfo.targetId);
    const resume = () => (waitingForDebugger ? popUp.send('Runtime.runIfWaitingForDebugger') : undefined);
    // A target may be gone before it is settled; then nothing is left to do.
    settled.then(resume).catch(() => undefined);
  });
  await browser.send('Target.setDiscoverTargets', { discover: true });
  await browser.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: true, flatten: true });
}

async function settlePopUp(opener: BrowserWindow, popUp: CdpSession, targetId: string): Promise<void> {
  if (await opener.webContents.allowsPopUp()) return;
  // It may run for an instant while it closes: with nothing to load.
  await popUp.send('Fetch.enable', { patterns: [{ urlPattern: '*' }] });
  await app.chromium.connection.browser.send('Target.closeTarget', { targetId });
}
