/** app: start, end, paths, the single-instance lock; and the line to the test that started this process. */
import { EventEmitter } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, watch, writeFileSync } from 'node:fs';
import path from 'node:path';

import type { Chromium } from './chromium.ts';

interface Closable {
  close(): Promise<void>;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

class DoubleApp extends EventEmitter {
  readonly isPackaged = false;
  readonly #ready = Promise.withResolvers<void>();
  readonly #paths = new Map<string, string>();
  #name = 'Electron';
  #quitting = false;
  #chromium: Chromium | null = null;
  /** Set by the entry of the double: app and windows know each other. */
  allWindows: () => Closable[] = () => [];

  get chromium(): Chromium {
    if (this.#chromium === null) throw new Error('The app is not ready yet.');
    return this.#chromium;
  }

  /** Something happened that a test may want to see. */
  tell(message: Readonly<Record<string, unknown>>): void {
    process.send?.(message);
  }

  started(chromium: Chromium): void {
    this.#chromium = chromium;
    chromium.connection.browser.on('disconnected', () => this.exit(this.#quitting ? 0 : 1));
    this.#ready.resolve();
    this.emit('ready');
  }

  whenReady(): Promise<void> {
    return this.#ready.promise;
  }
  enableSandbox(): void {
    if (this.#chromium !== null) throw new Error('app.enableSandbox() must be called before the app is ready.');
    this.tell({ type: 'sandboxed' });
  }
  disableHardwareAcceleration(): void {
    if (this.#chromium !== null) throw new Error('app.disableHardwareAcceleration() must be called before ready.');
    this.tell({ type: 'softwareRendering' });
  }
  readonly commandLine = {
    appendSwitch: (name: string, value?: string): void => this.tell({ type: 'switch', name, value }),
  };
  setName(name: string): void {
    this.#name = name;
  }
  getName(): string {
    return this.#name;
  }
  getVersion(): string {
    return (JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }).version;
  }
  setPath(name: string, folder: string): void {
    this.#paths.set(name, folder);
  }
  getPath(name: string): string {
    const folder = this.#paths.get(name);
    if (folder === undefined) throw new Error(`The double has no path '${name}'.`);
    return folder;
  }

  /** The lock is a file with our process id; a second instance leaves a note beside it and is refused. */
  requestSingleInstanceLock(): boolean {
    const folder = this.getPath('userData');
    mkdirSync(folder, { recursive: true });
    const lock = path.join(folder, 'SingletonLock');
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
    } catch {
      const holder = Number(readFileSync(lock, 'utf8'));
      if (isAlive(holder)) {
        const note = path.join(folder, `second-instance-${process.pid}`);
        writeFileSync(`${note}.new`, JSON.stringify(process.argv));
        renameSync(`${note}.new`, note);
        return false;
      }
      writeFileSync(lock, String(process.pid));
    }
    process.once('exit', () => rmSync(lock, { force: true }));
    watch(folder, { persistent: false }, () => {
      for (const note of readdirSync(folder).filter((name) => /^second-instance-\d+$/.test(name))) {
        const args = JSON.parse(readFileSync(path.join(folder, note), 'utf8')) as string[];
        rmSync(path.join(folder, note), { force: true });
        this.emit('second-instance', {}, args, folder);
      }
    });
    return true;
  }

  lastWindowClosed(): void {
    if (this.#quitting) return;
    if (this.listenerCount('window-all-closed') > 0) this.emit('window-all-closed');
    else this.quit();
  }

  quit(): void {
    void this.#quit();
  }

  exit(code = 0): void {
    this.#chromium?.close();
    process.exit(code);
  }

  /** before-quit, the windows close, will-quit, quit; either announcement can be held up by preventDefault. */
  async #quit(): Promise<void> {
    const prevented = (event: string): boolean => {
      let held = false;
      this.emit(event, { preventDefault: () => (held = true) });
      return held;
    };
    if (prevented('before-quit')) return;
    this.#quitting = true;
    await Promise.all(this.allWindows().map((window) => window.close()));
    if (prevented('will-quit')) return;
    this.emit('quit', {}, 0);
    this.exit(0);
  }
}

export const app = new DoubleApp();
