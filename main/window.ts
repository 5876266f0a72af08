/** The window and all of Electron's security: preferences, policy, permissions, navigation, the app:// protocol. */
import { BrowserWindow, dialog, nativeTheme, protocol, screen, shell } from 'electron';
import type { Session, WebContents } from 'electron';

import { offerContextMenu } from './desktop/contextMenu.ts';
import { readWindowState, saveWindowState } from './desktop/windowState.ts';
import { readPageFile } from './page.ts';

const scheme = 'app';
export const pageOrigin = `${scheme}://nemoflash`;

/** Everything not named here is denied. The copy buttons write to the clipboard. */
const allowedPermissions: ReadonlySet<string> = new Set(['clipboard-sanitized-write']);

const pageBackground = { dark: '#131416', light: '#fbfbfa' };
/** A page that crashes more often than this within a minute is not reloaded again. */
const maxCrashesPerMinute = 3;

/** Must run before the app is ready. The page gets an origin of its own, never file://. */
export function registerPageScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme, privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
  ]);
}

/** Serves the built page; network and files are refused to the whole session, whatever the page's policy says. */
export function servePage(session: Session, root: string): void {
  session.protocol.handle(scheme, async ({ url, method }) => {
    const { host, pathname } = new URL(url);
    const known = method === 'GET' && `${scheme}://${host}` === pageOrigin;
    const file = known ? await readPageFile(root, pathname, "'none'") : null;
    return file === null
      ? new Response('Not found', { status: 404 })
      : new Response(file.body, { headers: file.headers });
  });
  session.webRequest.onBeforeRequest(({ url: wanted }, callback) => {
    callback({ cancel: /^(https?|wss?|ftp|file):/i.test(wanted) });
  });
}

/** Permissions by table, denied by default; no devices; no downloads but what the page itself made to be saved. */
export function guardSession(session: Session): void {
  session.setPermissionRequestHandler((_contents, permission, answer) => answer(allowedPermissions.has(permission)));
  session.setPermissionCheckHandler((_contents, permission) => allowedPermissions.has(permission));
  session.setDevicePermissionHandler(() => false);
  session.on('will-download', (event, item) => {
    if (!item.getURL().startsWith(`blob:${pageOrigin}/`)) event.preventDefault();
  });
}

function isOurs(url: string): boolean {
  return url === pageOrigin || url.startsWith(`${pageOrigin}/`);
}

/** Web addresses open in the system's browser; every other kind of address opens nowhere. */
function openOutside(url: string): void {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'https:' || parsed?.protocol === 'http:') void shell.openExternal(parsed.href);
}

/** Every page of the app passes through here when it is made, so that none is without guards. */
export function guardContents(contents: WebContents): void {
  contents.on('will-navigate', (details) => {
    if (isOurs(details.url)) return;
    details.preventDefault();
    openOutside(details.url);
  });
  contents.on('will-frame-navigate', (details) => {
    if (!isOurs(details.url)) details.preventDefault();
  });
  contents.on('will-redirect', (details) => details.preventDefault());
  contents.on('will-attach-webview', (details) => details.preventDefault());
  contents.setWindowOpenHandler(({ url }) => {
    openOutside(url);
    return { action: 'deny' };
  });
}

/** A crashed page is loaded again: what it showed is in the store, and the engine goes on meanwhile. */
function reloadAfterCrash(window: BrowserWindow, onCrash: WindowOptions['onCrash']): void {
  const crashes: number[] = [];
  window.webContents.on('render-process-gone', (_event, { reason, exitCode }) => {
    if (reason === 'clean-exit' || window.isDestroyed()) return;
    onCrash(`${reason}, exit code ${exitCode}`);
    crashes.push(Date.now());
    if (crashes.filter((at) => at > Date.now() - 60_000).length <= maxCrashesPerMinute) window.webContents.reload();
    else dialog.showErrorBox('Nemoflash', 'The window keeps crashing. Your chats are safe; start Nemoflash again.');
  });
}

/** A page that hangs is loaded again when the user wants it; the answer in the making goes on in main. */
function offerReloadWhenHung(window: BrowserWindow): void {
  let asking = false;
  window.on('unresponsive', () => {
    if (asking) return;
    asking = true;
    const buttons = ['Wait', 'Load again'];
    const message = 'The window does not answer. Your chats are safe.';
    void dialog
      .showMessageBox(window, { type: 'warning', message, buttons, defaultId: 0, cancelId: 0 })
      .then((said) => {
        asking = false;
        // The crash is then handled as any other.
        if (said.response === 1 && !window.isDestroyed()) window.webContents.forcefullyCrashRenderer();
      });
  });
}

export interface WindowOptions {
  readonly preload: string;
  readonly devTools: boolean;
  /** Its dictionary is fetched from the network where the system has none. */
  readonly spellCheck: boolean;
  /** Where the window's place is remembered. */
  readonly stateFile: string;
  /** Asked when the window is closed: whether it is only hidden. */
  readonly staysInTray: () => boolean;
  /** Told why, each time the page crashes. */
  readonly onCrash: (detail: string) => void;
}

/** `onCreated` runs before the page loads, so that its first request finds a known window. */
export function openWindow(options: WindowOptions, onCreated: (window: BrowserWindow) => void): BrowserWindow {
  const state = readWindowState(
    options.stateFile,
    screen.getAllDisplays().map(({ workArea }) => workArea),
  );
  const window = new BrowserWindow({
    title: 'Nemoflash',
    width: 1280,
    height: 800,
    ...state.bounds,
    minWidth: 640,
    minHeight: 480,
    show: false,
    backgroundColor: nativeTheme.shouldUseDarkColors ? pageBackground.dark : pageBackground.light,
    webPreferences: {
      preload: options.preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: options.spellCheck,
      devTools: options.devTools,
    },
  });
  reloadAfterCrash(window, options.onCrash);
  offerReloadWhenHung(window);
  offerContextMenu(window.webContents);
  if (state.maximized) window.maximize();
  window.on('close', (closing) => {
    if (options.staysInTray()) {
      closing.preventDefault();
      window.hide();
    }
    saveWindowState(options.stateFile, { bounds: window.getNormalBounds(), maximized: window.isMaximized() });
  });
  window.once('ready-to-show', () => window.show());
  onCreated(window);
  void window.loadURL(`${pageOrigin}/`);
  return window;
}
