/** Electron's entry: one instance, one window that shows before the services are built, an orderly end. */
import path from 'node:path';
import process from 'node:process';

import { app, BrowserWindow, dialog, safeStorage, session } from 'electron';

import type { App } from './app.ts';
import { crashOf, writeCrashReport } from './crashReports.ts';
import type { Crash, CrashKind } from './crashReports.ts';
import { AppError } from './contract/errors.ts';
import type { Envelope } from './contract/errors.ts';
import { mindPower } from './desktop/power.ts';
import { makeHomeSync, resolveHome } from './home.ts';
import { connectElectron } from './ipc/electron.ts';
import { refusal } from './ipc/router.ts';
import { openLog } from './log.ts';
import { installMenu } from './menu.ts';
import { readStart } from './startArguments.ts';
import type { WindowStart } from './startArguments.ts';
import { guardContents, guardSession, openWindow, pageOrigin, registerPageScheme, servePage } from './window.ts';

const outFolder = path.resolve(import.meta.dirname, '..');

const asked = readStart(process.argv.slice(app.isPackaged ? 1 : 2));
const options: WindowStart = asked.kind === 'window' ? asked : { kind: 'window' };

const home = resolveHome(options.home);
const log = openLog(home.logFile);

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
    const { createApp } = await import('./app.ts');
    return await createApp({
      home,
      log,
      version: app.getVersion(),
      shell: 'electron',
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
  window.focus();
}

async function start(): Promise<void> {
  await app.whenReady();
  servePage(session.defaultSession, path.join(outFolder, 'renderer'));
  guardSession(session.defaultSession);
  installMenu({ isMac: process.platform === 'darwin', isPackaged: app.isPackaged });

  let stopMindingPower = (): void => undefined;
  const shown = Promise.withResolvers<void>();
  const services = shown.promise.then(async () => {
    const shownMs = performance.now();
    const built = await buildApp();
    built.startup.mark('shell', shownMs);
    stopMindingPower = mindPower(built.engine);
    return built;
  });
  const transport = connectElectron(
    services.then(({ router }) => router),
    pageOrigin,
    whyBroken,
  );
  const open = (): void => {
    const preload = path.join(outFolder, 'main', 'preload.cjs');
    const onCrash = (detail: string): void => describeCrash('page', detail);
    const window = openWindow({ preload, devTools: !app.isPackaged, onCrash }, ({ webContents }) =>
      transport.addWindow(webContents),
    );
    window.once('ready-to-show', () => shown.resolve());
    window.webContents.once('did-finish-load', () => shown.resolve());
  };
  open();
  app.on('activate', () => {
    if (BrowserWindow.getAllWindows().length === 0) open();
  });
  app.on('second-instance', focusWindow);
  app.on('child-process-gone', (_event, { type, reason, exitCode }) => {
    if (type === 'GPU' && reason !== 'clean-exit') describeCrash('gpu', `${reason}, exit code ${exitCode}`);
  });
  endInOrder(async () => {
    transport.close();
    shown.resolve();
    stopMindingPower();
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
  if (options.safeMode === true) app.disableHardwareAcceleration();
  app.on('web-contents-created', (_event, contents) => guardContents(contents));
  makeHomeSync(home);
  // Chromium's own files stay inside the one folder, too.
  app.setPath('userData', path.join(home.root, 'electron'));
  if (app.requestSingleInstanceLock()) start().catch(fail);
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
