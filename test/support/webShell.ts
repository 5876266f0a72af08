/** The web shell as `npm start -- --web` starts it, in a process of its own, and a browser that enters by its link. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { chromiumPath, needsChromium, openBrowser, patienceMs } from './browser.ts';
import type { Shell, ShellKind, StartOptions } from './shells.ts';

const root = path.resolve(import.meta.dirname, '..', '..');

export interface WebProcess {
  readonly url: string;
  readonly link: string;
  readonly apiKey: string;
  readonly child: ChildProcess;
  /** Everything on stderr so far. */
  log(): string;
  stop(): Promise<number | null>;
}

export async function startWebProcess({ home, args = [], env = {} }: StartOptions): Promise<WebProcess> {
  const script = path.join(root, 'main', 'start.mjs');
  const child = spawn(process.execPath, [script, '--web', '--no-build', '--json', '--home', home, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (data) => (log += String(data)));
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const line = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([first]) => String(first)),
    exited.then((code) => Promise.reject(new Error(`The web shell ended with ${code}:\n${log}`))),
    sleep(patienceMs, null, { ref: false }).then(() => {
      child.kill('SIGKILL');
      throw new Error(`The web shell was silent for ${patienceMs} ms:\n${log}`);
    }),
  ]);
  const { url, ui_link: link, api_key: apiKey } = JSON.parse(line) as Record<'url' | 'ui_link' | 'api_key', string>;
  return {
    url,
    link,
    apiKey,
    child,
    log: () => log,
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), patienceMs);
      const code = await exited;
      clearTimeout(late);
      return code;
    },
  };
}

/** Asks over a WebSocket of its own, as any script in the page could. */
function askSocket(route: string, input: unknown): string {
  const frame = JSON.stringify(JSON.stringify({ id: 1, route, input }));
  return `new Promise((resolve, reject) => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/bridge');
    socket.onopen = () => socket.send(${frame});
    socket.onerror = () => reject(new Error('refused'));
    socket.onmessage = ({ data }) => {
      const reply = JSON.parse(data);
      if (!('envelope' in reply)) return;
      socket.close();
      resolve(reply.envelope);
    };
  })`;
}

export const webShell: ShellKind = {
  title: needsChromium('web shell in Chromium'),
  skipped: chromiumPath === null,
  ownsWindow: false,
  async start(options): Promise<Shell> {
    const running = await startWebProcess(options);
    const browser = await openBrowser();
    const { page, problems } = await browser.newPage();
    await page.goto(running.link);
    await page.waitForURL(`${running.url}/`);
    await page.waitForLoadState();
    return {
      page,
      problems,
      openedOutside: async () => [],
      ask: (route, input) => page.evaluate(askSocket(route, input)),
      async close() {
        await browser.close();
        await running.stop();
      },
    };
  },
};
