/** `nemoflash serve`: the OpenAI-compatible API, and with --ui the app itself in a browser, both on this machine only. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';

import { createApp } from '../app.ts';
import type { App } from '../app.ts';
import { AppError } from '../contract/errors.ts';
import { makeHomeSync, resolveHome } from '../home.ts';
import { openLog } from '../log.ts';
import { ApiServer } from '../server/apiServer.ts';
import { version } from '../version.ts';
import { startWebShell } from '../web.ts';

/** Where `npm run build` puts the page; the bundle lies as deep as this file. */
const builtPage = path.resolve(import.meta.dirname, '..', '..', 'out', 'renderer');

interface ServeOptions {
  readonly ui: boolean;
  readonly model?: string;
  readonly port: number;
  readonly json: boolean;
  readonly open: boolean;
  readonly home?: string;
  readonly apiKey?: string;
}

interface Serving {
  readonly url: string;
  /** A new link into the app; null without --ui. */
  readonly createLink: (() => string) | null;
  close(): Promise<void>;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new InvalidArgumentError('A port is 0 to 65535.');
  return port;
}

export function register(program: Command): void {
  program
    .command('serve')
    .description('Serve the OpenAI-compatible API on this machine; with --ui also the app, in your browser.')
    .option('--ui', 'open the app to a browser, by a link that works once', false)
    .option('--open', "with --ui: also open the link in the system's browser", false)
    .option('--model <source>', 'id of an installed model, a folder, or synthetic:NAME; loaded at once')
    .option('--port <number>', 'port on 127.0.0.1; 0 takes any free one', parsePort, 8080)
    .option(
      '--api-key <key>',
      'what API clients must send (default: NEMOFLASH_API_KEY, else the one that Nemoflash keeps)',
    )
    .option('--home <folder>', 'where Nemoflash keeps everything (default: NEMOFLASH_HOME, else the usual place)')
    .option('--json', 'first line on stdout: one JSON object with url, api_key and pid', false)
    .action((options: ServeOptions) => serve(options));
}

async function serve(options: ServeOptions): Promise<void> {
  const home = makeHomeSync(resolveHome(options.home));
  const log = openLog(home.logFile);
  const stop = stopRequested();
  const app = await createApp({
    home,
    log,
    version,
    shell: 'web',
    startModel: options.model ?? null,
    apiKey: options.apiKey ?? (process.env['NEMOFLASH_API_KEY'] || undefined),
    pickFolder: () => {
      throw new AppError('UNSUPPORTED', 'A browser cannot show folders of this machine. Type the path instead.');
    },
  });
  try {
    const serving = await startServing(options, app);
    app.api.servedAt(serving.url);
    app.startup.mark('shell');
    try {
      announce(options, serving, app.api.key().key);
      // With a page the failure to load is shown there, and another model can be chosen; without one it is the end.
      await (options.ui ? stop : Promise.race([stop, app.modelLoaded.then(() => stop)]));
    } finally {
      process.stdin.pause();
      await serving.close();
    }
  } finally {
    await app.dispose();
  }
}

async function startServing({ ui, port }: ServeOptions, app: App): Promise<Serving> {
  const { api } = app.api;
  if (ui) {
    const shell = await startWebShell({
      router: app.router,
      port,
      page: builtPage,
      api,
      onUnexpected: (place, error) => app.log.error(place, error),
    });
    return { url: shell.url, createLink: () => shell.createLink(), close: () => shell.close() };
  }
  const server = new ApiServer(api);
  return { url: await server.start({ host: '127.0.0.1', port }), createLink: null, close: () => server.close() };
}

function announce({ json, open }: ServeOptions, { url, createLink }: Serving, apiKey: string): void {
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const link = createLink?.() ?? null;
  if (open && link !== null) openInBrowser(link);
  if (json) return void print(JSON.stringify({ url, api_key: apiKey, pid: process.pid, ui_link: link }));
  if (link !== null && createLink !== null) {
    print(`Nemoflash: ${link}`);
    print('The link lets one browser in, once. Press Enter for another one, Ctrl+C to end.');
    if (process.stdin.isTTY) createInterface({ input: process.stdin }).on('line', () => print(createLink()));
  }
  print(`API: ${url}/v1  key: ${apiKey}`);
}

/** Where it cannot be done the printed link remains. */
function openInBrowser(link: string): void {
  const [program, ...args] =
    process.platform === 'darwin'
      ? ['open', link]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', link]
        : ['xdg-open', link];
  const child = spawn(program, args, { detached: true, stdio: 'ignore' });
  child.on('error', () => undefined);
  child.unref();
}

/** Resolves at Ctrl+C, at a request to end, and when the program that started this one is gone. A second time is final. */
function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const stop = (): void => {
      if (asked) process.exit(130);
      asked = true;
      resolve();
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    process.once('disconnect', resolve);
  });
}
