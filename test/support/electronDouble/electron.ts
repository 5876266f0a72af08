/**
 * What `require('electron')` yields under the double: the parts of Electron's main-process API that the app uses, with a
 * real Chromium page behind them. The app's bundles run against it unmodified. Where it differs from Electron:
 * app:// pages have an https:// address (pageAddress.ts); window.open returns a window that closes at once instead of null;
 * permissions are settled by the check handler before a page asks; ready-to-show comes with the load event.
 */
import { EventEmitter } from 'node:events';

import { app } from './app.ts';
import { BrowserWindow, watchTargets } from './browserWindow.ts';
import { startChromium } from './chromium.ts';
import { ipcMain } from './ipcMain.ts';
import type { Frame } from './ipcMain.ts';
import { defaultSession } from './session.ts';

export { app, BrowserWindow, ipcMain };
export const session = { defaultSession };

export const protocol = {
  registerSchemesAsPrivileged(schemes: readonly { readonly scheme: string }[]): void {
    app.tell({ type: 'schemes', schemes });
  },
};

let pickedFolder: string | null = null;
export const dialog = {
  async showOpenDialog(): Promise<{ canceled: boolean; filePaths: string[] }> {
    return { canceled: pickedFolder === null, filePaths: pickedFolder === null ? [] : [pickedFolder] };
  },
  async showMessageBox(_window: unknown, options: object): Promise<{ response: number }> {
    app.tell({ type: 'messageBox', ...options });
    return { response: 0 };
  },
  showErrorBox(title: string, content: string): void {
    app.tell({ type: 'errorBox', title, content });
  },
};

export const screen = {
  getAllDisplays: () => [{ workArea: { x: 0, y: 0, width: 1920, height: 1080 } }],
};

const image = { resize: (): unknown => image };
export const nativeImage = { createFromPath: (): unknown => image };

export class Tray extends EventEmitter {
  constructor() {
    super();
    app.tell({ type: 'tray' });
  }
  setToolTip(): void {}
  setContextMenu(): void {}
  destroy(): void {
    app.tell({ type: 'trayGone' });
  }
}

/** The machine's sleep, as the test orders it. */
export const powerMonitor = new EventEmitter();

const blockers = new Set<number>();
let lastBlocker = 0;
export const powerSaveBlocker = {
  start(kind: string): number {
    blockers.add((lastBlocker += 1));
    app.tell({ type: 'awake', kind });
    return lastBlocker;
  },
  stop(id: number): boolean {
    if (blockers.delete(id) && blockers.size === 0) app.tell({ type: 'maySleep' });
    return true;
  },
};

export const shell = {
  async openExternal(url: string): Promise<void> {
    app.tell({ type: 'openedOutside', url });
  },
};

interface MenuItem {
  readonly role?: string;
  readonly label?: string;
  readonly submenu?: readonly MenuItem[];
  readonly click?: () => void;
}

let menuItems: readonly MenuItem[] = [];
export const Menu = {
  buildFromTemplate: (template: readonly MenuItem[]): readonly MenuItem[] => template,
  setApplicationMenu(menu: readonly MenuItem[]): void {
    menuItems = menu;
    app.tell({ type: 'menu', menu });
  },
};

/** As on a machine without a keyring. */
export const safeStorage = {
  isEncryptionAvailable: () => true,
  getSelectedStorageBackend: () => 'basic_text',
  encryptString: (text: string) => Buffer.from(text),
  decryptString: (bytes: Buffer) => bytes.toString(),
};

export const nativeTheme = { shouldUseDarkColors: false, themeSource: 'system' };

interface Order {
  readonly type: 'pickFolder' | 'invokeAs' | 'resume' | 'closeWindow' | 'menu';
  readonly label?: string;
  readonly folder?: string | null;
  readonly id?: number;
  readonly frame?: Frame | null;
  readonly channel?: string;
  readonly args?: readonly unknown[];
}
process.on('message', (order: Order) => {
  if (order.type === 'pickFolder') {
    pickedFolder = order.folder ?? null;
    app.tell({ type: 'willPick', folder: pickedFolder });
  }
  if (order.type === 'closeWindow') void BrowserWindow.getAllWindows()[0]?.close();
  if (order.type === 'resume') powerMonitor.emit('resume');
  if (order.type === 'menu') {
    const items = menuItems.flatMap(({ submenu }) => submenu ?? []);
    items.find(({ label }) => label === order.label)?.click?.();
  }
  const [window] = BrowserWindow.getAllWindows();
  if (order.type === 'invokeAs' && window !== undefined) {
    void window.webContents
      .invokeAs(order.frame ?? null, order.channel ?? '', order.args ?? [])
      .then((answer) => app.tell({ type: 'invoked', id: order.id, answer }));
  }
});
// The test is gone: so are we.
process.once('disconnect', () => app.exit(1));

app.allWindows = () => BrowserWindow.getAllWindows();
// As in Electron, the app becomes ready after the entry script has run.
setImmediate(async () => {
  const chromium = await startChromium();
  app.started(chromium);
  await watchTargets();
  app.tell({ type: 'started', endpoint: chromium.endpoint });
});
