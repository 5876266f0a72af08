/** Electron's entry: one instance, one window that shows before the services are built, an orderly end. */
import path from 'node:path';
import process from 'node:process';

import { app, BrowserWindow, dialog, nativeTheme, safeStorage, session } from 'electron';

import type { App } from './app.ts';
import { crashOf, writeCrashReport } from './crashReports.ts';
import type { Crash, CrashKind } from './crashReports.ts';
import { AppError } from './contract/errors.ts';
import type { Envelope } from './contract/errors.ts';
import type { OpenRequest, Settings } from './contract/domain.ts';
import { keepInstaller, loadUpdater, updateKey } from './desktop/installer.ts';
import { linkIn, linkScheme, readLink } from './desktop/links.ts';
import { readStartSettings } from './desktop/startSettings.ts';
import type { StartSettings } from './desktop/startSettings.ts';
import { noteDictionaries } from './desktop/spelling.ts';
import { showTray } from './desktop/tray.ts';
import { mindPower } from './desktop/power.ts';
import { makeHomeSync, resolveHome } from './home.ts';
import { connectElectron } from './ipc/electron.ts';
import { refusal } from './ipc/router.ts';
import { openLog } from './log.ts';
import { installMenu } from './menu.ts';
import { readStart } from './startArguments.ts';
import type { WindowStart } from './startArguments.ts';
import type { UpdatesOptions } from './updates.ts';
import { guardContents, guardSession, openWindow, pageOrigin, registerPageScheme, servePage } from './window.ts';

const outFolder = path.resolve(import.meta.dirname, '..');

const asked = readStart(process.argv.slice(app.isPackaged ? 1 : 2));
const options: WindowStart = asked.kind === 'window' ? asked : { kind: 'window' };

const home = resolveHome(options.home);
const log = openLog(home.logFile);

/** What somebody asked to see before the services were there. */
let startPage: OpenRequest | null = options.link === undefined ? null : readLink(options.link);
let openPage = (page: OpenRequest | null): void => {
  startPage = page ?? startPage;
};
/** Set when the app ends, so that a closing window does not stay in the tray. */
let isQuitting = false;

const reportCrash = (crash: Crash): void => writeCrashReport(home.logFile, crash);
const describeCrash = (kind: CrashKind, detail: string): void => {
  log.warning('crash', { kind, detail });
  reportCrash({ kind, version: app.getVersion(), detail });
};

function whyBroken(error: unknown): Envelope<never> {
  if (error instanceof AppError) return { ok: false, error: error.info };
  return refusal('INTERNAL', `Nemoflash could not start. The log is ${home.logFile}.`);
}

/** Loaded after the window was made, so that the first paint does not wait for the engine, the store or the hub. */
async function buildApp(): Promise<App> {
  process.on('uncaughtException', (error) => {
    log.error('uncaught', error);
    reportCrash(crashOf('main', app.getVersion(), error));
  });
  process.on('unhandledRejection', (reason) => log.error('unhandled', reason));
  try {
    const [{ createApp }, { Updates }] = await Promise.all([import('./app.ts'), import('./updates.ts')]);
    const version = app.getVersion();
    const updater: Pick<UpdatesOptions, 'publicKey' | 'updater' | 'keepPrevious'> = {
      publicKey: app.isPackaged ? updateKey : '',
      updater: (note) => loadUpdater(path.join(home.cacheFolder, 'update'), note),
      keepPrevious: (next, files) => keepInstaller(path.join(home.root, 'updates'), version, next, files),
    };
    return await createApp({
      home,
      log,
      version,
      shell: 'electron',
      startPage,
      updates: (surroundings) => new Updates({ ...surroundings, ...updater }),
      startModel: options.model ?? null,
      pickFolder,
      safeMode: options.safeMode ?? false,
      cipher: {
        // Without a keyring Electron on Linux "encrypts" with a key that everybody knows.
        available: () =>
          safeStorage.isEncryptionAvailable() &&
          (process.platform !== 'linux' || safeStorage.getSelectedStorageBackend() !== 'basic_text'),
        encrypt: (secret) => safeStorage.encryptString(secret),
        decrypt: (bytes) => safeStorage.decryptString(Buffer.from(bytes)),
      },
    });
  } catch (error) {
    log.error('start failed', error);
    throw error;
  }
}

async function pickFolder(title: string): Promise<string | null> {
  const [window] = BrowserWindow.getAllWindows();
  const dialogOptions = { title, properties: ['openDirectory' as const] };
  const picked = await (window ? dialog.showOpenDialog(window, dialogOptions) : dialog.showOpenDialog(dialogOptions));
  return picked.canceled ? null : (picked.filePaths[0] ?? null);
}

function focusWindow(): void {
  const [window] = BrowserWindow.getAllWindows();
  if (window === undefined) return;
  if (window.isMinimized()) window.restore();
  if (!window.isVisible()) window.show();
  window.focus();
}

/** The tray and the system's colours follow the settings. Returns whether the tray is there, and the end of it all. */
function followSettings(settings: App['settings']): { readonly hasTray: () => boolean; readonly end: () => void } {
  let hideTray: (() => void) | null = null;
  const follow = ({ desktop, theme }: Settings): void => {
    nativeTheme.themeSource = theme;
    if (desktop.tray && hideTray === null) {
      const icon = path.join(outFolder, 'main', 'icon.png');
      hideTray = showTray({ icon, show: focusWindow, quit: () => app.quit() });
    } else if (!desktop.tray && hideTray !== null) {
      hideTray();
      hideTray = null;
    }
  };
  follow(settings.current);
  const unsubscribe = settings.onChange(follow);
  return {
    hasTray: () => hideTray !== null,
    end: () => {
      unsubscribe();
      hideTray?.();
      hideTray = null;
    },
  };
}

async function start({ theme, spellCheck }: StartSettings): Promise<void> {
  await app.whenReady();
  nativeTheme.themeSource = theme;
  servePage(session.defaultSession, path.join(outFolder, 'renderer'));
  guardSession(session.defaultSession);
  const openSettings = (): void => openPage({ page: 'settings' });
  installMenu({ isMac: process.platform === 'darwin', isPackaged: app.isPackaged, openSettings });

  let stopMindingPower = (): void => undefined;
  let followed: ReturnType<typeof followSettings> | null = null;
  const shown = Promise.withResolvers<void>();
  const services = shown.promise.then(async () => {
    const shownMs = performance.now();
    const built = await buildApp();
    built.startup.mark('shell', shownMs);
    stopMindingPower = mindPower(built.engine, () => built.noteShutdown());
    followed = followSettings(built.settings);
    openPage = (page) => {
      focusWindow();
      if (page !== null) built.router.events.publish('app.open', page);
    };
    return built;
  });
  noteDictionaries(session.defaultSession, (request) => void services.then((built) => built.noteRequest(request)));
  const transport = connectElectron(
    services.then(({ router }) => router),
    pageOrigin,
    whyBroken,
  );
  const open = (): void => {
    const preload = path.join(outFolder, 'main', 'preload.cjs');
    const onCrash = (detail: string): void => describeCrash('page', detail);
    const stateFile = path.join(home.root, 'window.json');
    const staysInTray = (): boolean => !isQuitting && followed?.hasTray() === true;
    const window = openWindow(
      { preload, devTools: !app.isPackaged, spellCheck, stateFile, staysInTray, onCrash },
      ({ webContents }) => transport.addWindow(webContents),
    );
    window.once('ready-to-show', () => shown.resolve());
    // Windows ends the app without another word when its user leaves.
    window.on('session-end', () => void services.then((built) => built.noteShutdown()));
    window.webContents.once('did-finish-load', () => shown.resolve());
  };
  open();
  app.on('activate', () => {
    if (BrowserWindow.getAllWindows().length === 0) open();
    else focusWindow();
  });
  app.on('second-instance', (_event, args) => {
    focusWindow();
    openPage(linkIn(args));
  });
  app.on('before-quit', () => (isQuitting = true));
  app.on('child-process-gone', (_event, { type, reason, exitCode }) => {
    if (type === 'GPU' && reason !== 'clean-exit') describeCrash('gpu', `${reason}, exit code ${exitCode}`);
  });
  endInOrder(async () => {
    transport.close();
    shown.resolve();
    stopMindingPower();
    followed?.end();
    await services.then((ready) => ready.dispose()).catch(() => undefined);
  });
}

/** Quits once what is open has closed: the engine thread, the store, downloads. */
function endInOrder(dispose: () => Promise<void>): void {
  let ended = false;
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit();
  });
  app.on('will-quit', (quitting) => {
    if (ended) return;
    quitting.preventDefault();
    ended = true;
    void dispose().finally(() => app.quit());
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => app.quit());
}

function fail(error: unknown): void {
  dialog.showErrorBox('Nemoflash', error instanceof Error ? error.message : String(error));
  app.exit(1);
}

/** One command of the command line, in the installed program: no window, no display, no lock. */
async function runCommand(args: readonly string[]): Promise<void> {
  app.disableHardwareAcceleration();
  if (process.platform === 'linux') app.commandLine.appendSwitch('ozone-platform', 'headless');
  app.dock?.hide();
  await app.whenReady();
  const { run } = await import('./cli.ts');
  const code = await run(args);
  await new Promise((resolve) => process.stdout.write('', resolve));
  app.exit(code || Number(process.exitCode ?? 0));
}

function runWindow(): void {
  registerPageScheme();
  const settings = readStartSettings(home.settingsFile);
  if (options.safeMode === true || settings.softwareRendering) app.disableHardwareAcceleration();
  app.on('web-contents-created', (_event, contents) => guardContents(contents));
  app.on('open-url', (event, url) => {
    event.preventDefault();
    openPage(readLink(url));
  });
  makeHomeSync(home);
  // Chromium's own files stay inside the one folder, too.
  app.setPath('userData', path.join(home.root, 'electron'));
  if (process.platform === 'win32' && app.isPackaged) app.setAsDefaultProtocolClient(linkScheme);
  if (app.requestSingleInstanceLock()) start(settings).catch(fail);
  else app.quit();
}

app.enableSandbox();
app.setName('Nemoflash');
try {
  if (asked.kind === 'window') runWindow();
  else
    runCommand(asked.args).catch((error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      app.exit(1);
    });
} catch (error) {
  fail(error);
}
