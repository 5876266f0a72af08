/** Starts the app's bundles under the double, in a process of their own, and joins the page they show. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

import { chromium } from 'playwright-core';
import type { Page } from 'playwright-core';

import { collectProblems, chromiumPath, needsChromium, patienceMs } from '../browser.ts';
import { askBridge } from '../shells.ts';
import type { Shell, ShellKind, StartOptions } from '../shells.ts';

const root = path.resolve(import.meta.dirname, '..', '..', '..');

/** What the double tells about the app: { type: 'shown' }, { type: 'openedOutside', url }, … */
export type Told = { readonly type: string } & Readonly<Record<string, unknown>>;

export interface ElectronShell extends Shell {
  readonly told: readonly Told[];
  readonly log: () => string;
  readonly exited: Promise<number | null>;
  /** As if a frame of the window with this address had invoked a channel. Null: a frame that is gone. */
  invokeAs(
    frame: { url: string; origin: string; parent: object | null } | null,
    channel: string,
    ...args: unknown[]
  ): Promise<unknown>;
  /** What the system's dialog will answer; null: cancelled. */
  pickFolder(folder: string | null): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** As if the machine had slept and woken up. */
  resume(): void;
  /** As if an item of the native menu had been chosen. */
  chooseMenu(label: string): void;
  /** As if the user had closed the window by its button. */
  closeWindow(): void;
}

function startProcess({ home, args = [], env = {} }: StartOptions) {
  const child = fork(path.join(root, 'out', 'main', 'index.cjs'), ['--home', home, ...args], {
    cwd: root,
    execArgv: ['--import', path.join(import.meta.dirname, 'register.mjs'), '--disable-warning=ExperimentalWarning'],
    execPath: process.execPath,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const told: Told[] = [];
  let log = '';
  child.on('message', (message) => told.push(message as Told));
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (log += String(data)));
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  return { child, told, log: () => log, exited };
}

/** Throws with the app's output when it ends, or says nothing, before what is waited for was told. */
async function waitFor(read: () => Told | undefined, running: ReturnType<typeof startProcess>): Promise<Told> {
  const deadline = AbortSignal.timeout(patienceMs);
  for (;;) {
    const found = read();
    if (found !== undefined) return found;
    const { exitCode } = running.child;
    const why = deadline.aborted ? `was silent for ${patienceMs} ms` : `ended with ${exitCode}`;
    if (deadline.aborted || exitCode !== null) {
      running.child.kill('SIGKILL');
      const told = running.told.map(({ type }) => type).join(', ');
      throw new Error(`The app ${why}, having told: ${told}.\n${running.log()}`);
    }
    const next = once(running.child, 'message', { signal: deadline }).catch(() => undefined);
    await Promise.race([next, running.exited]);
  }
}

/** A start that is not expected to show a window: resolves with the exit code, what was told and what was printed. */
export async function startAndWait(
  options: StartOptions,
): Promise<{ code: number | null; told: readonly Told[]; log: string }> {
  const { exited, told, log } = startProcess(options);
  return { code: await exited, told, log: log() };
}

export async function startElectronDouble(options: StartOptions): Promise<ElectronShell> {
  const running = startProcess(options);
  const { child, told, log, exited } = running;
  const find = (type: string) => () => told.find((message) => message.type === type);
  const { endpoint } = await waitFor(find('started'), running);
  await waitFor(find('shown'), running);
  const browser = await chromium.connectOverCDP(String(endpoint));
  for (const context of browser.contexts()) context.setDefaultTimeout(patienceMs);
  const page = browser
    .contexts()
    .flatMap((context) => context.pages())
    .find((candidate) => candidate.url() !== 'about:blank') as Page;
  let lastId = 0;
  return {
    page,
    problems: collectProblems(page),
    told,
    log,
    exited,
    openedOutside: async () => told.filter(({ type }) => type === 'openedOutside').map(({ url }) => String(url)),
    ask: (route, input) => askBridge(page, route, input),
    async invokeAs(frame, channel, ...args) {
      const id = (lastId += 1);
      child.send({ type: 'invokeAs', id, frame, channel, args });
      const answered = await waitFor(
        () => told.find((message) => message.type === 'invoked' && message['id'] === id),
        running,
      );
      return answered['answer'];
    },
    async pickFolder(folder) {
      child.send({ type: 'pickFolder', folder });
      await waitFor(() => told.find((message) => message.type === 'willPick' && message['folder'] === folder), running);
    },
    signal: (name) => void child.kill(name),
    resume: () => void child.send({ type: 'resume' }),
    chooseMenu: (label) => void child.send({ type: 'menu', label }),
    closeWindow: () => void child.send({ type: 'closeWindow' }),
    async close() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), patienceMs);
      await exited;
      clearTimeout(late);
      await browser.close();
    },
  };
}

export const electronDouble: ShellKind = {
  title: needsChromium("Electron's double"),
  skipped: chromiumPath === null,
  ownsWindow: true,
  start: startElectronDouble,
};
