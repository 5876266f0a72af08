/** `nemoflash serve`: the OpenAI-compatible API, and with --ui the app itself in a browser, both on this machine only. */
import { spawn } from 'node:child_process';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';

import type { App } from '../app.ts';
import { promptFormats } from '../contract/domain.ts';
import type { PromptFormat } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { makeHomeSync, resolveHome } from '../home.ts';
import type { Home } from '../home.ts';
import { openLog } from '../log.ts';
import type { Log } from '../log.ts';
import { ApiKey } from '../server/apiKey.ts';
import { version } from '../version.ts';
import { startWebShell } from '../web.ts';
import { addModelOptions, sourceOf } from './withEngine.ts';
import type { ModelOptions } from './withEngine.ts';

/** Where `npm run build` puts the page; the bundle lies as deep as this file. */
const builtPage = path.resolve(import.meta.dirname, '..', '..', 'out', 'renderer');

interface ServeOptions extends ModelOptions {
  readonly ui: boolean;
  readonly port: number;
  readonly host: string;
  readonly allowHost?: readonly string[];
  readonly allowOrigin?: readonly string[];
  readonly promptFormat?: PromptFormat;
  readonly open: boolean;
  readonly apiKey?: string;
}

const loopback = '127.0.0.1';

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

/** As a browser sends it: scheme, host and port, nothing behind. */
function parseOrigin(text: string, before: readonly string[] = []): readonly string[] {
  const url = URL.parse(text);
  if (url === null || url.origin !== text) {
    throw new InvalidArgumentError('An origin is http://HOST[:PORT] or https://HOST[:PORT], without a path.');
  }
  return [...before, text];
}

function parseHost(text: string, before: readonly string[] = []): readonly string[] {
  if (!/^[a-z0-9.-]+$/i.test(text)) throw new InvalidArgumentError('A host name, without a port.');
  return [...before, text.toLowerCase()];
}

function parseAddress(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError('An IP address of this machine; 0.0.0.0 or :: for all of them.');
  return text;
}

export function register(program: Command): void {
  const command = program
    .command('serve')
    .description('Serve the OpenAI-compatible API on this machine; with --ui also the app, in your browser.')
    .option('--ui', 'open the app to a browser, by a link that works once', false)
    .option('--open', "with --ui: also open the link in the system's browser", false);
  addModelOptions(command)
    .option('--port <number>', 'port on 127.0.0.1; 0 takes any free one', parsePort, 8080)
    .option('--host <address>', 'serve other machines, too, on this address; they need the key', parseAddress, loopback)
    .option('--allow-host <name>', 'with --host: a name that this machine is called by; may be repeated', parseHost)
    .option('--allow-origin <origin>', 'web pages that may call, as https://example.org; may be repeated', parseOrigin)
    .addOption(
      new Option('--prompt-format <format>', 'of requests that name none; raw: as trtllm-serve').choices(promptFormats),
    )
    .option(
      '--api-key <key>',
      'what API clients must send (default: NEMOFLASH_API_KEY, else the one that Nemoflash keeps)',
    )
    .action((options: ServeOptions) => serve(options));
}

/** Names and addresses that this machine goes by where it listens; loopback is always among them. */
function hostsOf({ host, allowHost = [] }: ServeOptions): readonly string[] {
  if (host === loopback) return allowHost;
  const isAny = host === '0.0.0.0' || host === '::';
  const addresses = isAny
    ? Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address))
    : [host];
  const bracketed = addresses.map((address) => (address.includes(':') ? `[${address.split('%')[0]}]` : address));
  return [...bracketed, hostname().toLowerCase(), ...allowHost];
}

/** Short keys can be guessed, and other machines have time. */
const minExposedKey = 16;

function givenKey({ apiKey, host, ui }: ServeOptions): string | undefined {
  const key = apiKey ?? (process.env['NEMOFLASH_API_KEY'] || undefined);
  if (host === loopback) return key;
  if (ui) throw new AppError('BAD_ARGUMENT', 'The app is for this machine alone: leave out --ui or --host.');
  if (key !== undefined && key.length < minExposedKey) {
    throw new AppError('BAD_ARGUMENT', `With --host the key must have at least ${minExposedKey} characters.`);
  }
  return key;
}

async function serve(options: ServeOptions): Promise<void> {
  const key = givenKey(options);
  const home = makeHomeSync(resolveHome(options.home));
  const log = openLog(home.logFile);
  const stop = stopRequested();
  const services = Promise.withResolvers<App>();
  services.promise.catch(() => undefined); // thrown below; those who wait for them hear of it, too
  const page = options.ui ? await servePage(options, log, services.promise) : null;
  const servedMs = performance.now();
  // The page is on its way to the browser while the services are built.
  if (page !== null) announce(options, page, (await ApiKey.open(home.apiKeyFile, key)).current);
  let app: App;
  try {
    app = await buildApp(options, home, log, key);
  } catch (error) {
    services.reject(error);
    await page?.close();
    throw error;
  }
  services.resolve(app);
  if (page !== null) app.startup.mark('shell', servedMs);
  await serveUntil(stop, options, app, page);
}

async function buildApp(options: ServeOptions, home: Home, log: Log, key: string | undefined): Promise<App> {
  const { device, format, context, threads, promptFormat } = options;
  const { createApp } = await import('../app.ts');
  return createApp({
    home,
    log,
    version,
    shell: 'web',
    startModel: options.model ?? null,
    startOptions: {
      ...(device !== 'auto' && { device }),
      ...(format !== 'auto' && { format }),
      ...(context !== undefined && { contextPositions: context }),
      ...(threads !== undefined && { threads }),
    },
    api: {
      key,
      allowedHosts: hostsOf(options),
      allowedOrigins: options.allowOrigin ?? [],
      ...(promptFormat !== undefined && { defaultFormat: () => promptFormat }),
    },
    pickFolder: () => {
      throw new AppError('UNSUPPORTED', 'A browser cannot show folders of this machine. Type the path instead.');
    },
  });
}

/** Serves until it is asked to stop; the API alone, as long as its model can be loaded. Closes everything. */
async function serveUntil(stop: Promise<void>, options: ServeOptions, app: App, page: Serving | null): Promise<void> {
  try {
    if (page === null) requireModel(options, app);
    const serving = page ?? (await serveApi(options, app));
    app.api.servedAt(serving.url);
    if (page === null) {
      app.startup.mark('shell');
      announce(options, serving, app.api.key().key);
      if (!options.json) announceModel(app);
    }
    try {
      // With a page the failure to load is shown there, and another model can be chosen; without one it is the end.
      await (page !== null ? stop : Promise.race([stop, app.modelLoaded.then(() => stop)]));
    } finally {
      process.stdin.pause();
      await serving.close();
    }
  } finally {
    await app.dispose();
  }
}

async function servePage({ port }: ServeOptions, log: Log, services: Promise<App>): Promise<Serving> {
  const router = services.then((app) => app.router);
  const api = services.then((app) => app.api.api);
  // Whoever waits for them hears that they cannot be had; nobody need wait.
  for (const promise of [router, api]) promise.catch(() => undefined);
  const onUnexpected = (place: string, error: unknown): void => log.error(place, error);
  const shell = await startWebShell({ router, port, page: builtPage, api, onUnexpected });
  return { url: shell.url, createLink: () => shell.createLink(), close: () => shell.close() };
}

async function serveApi({ port, host }: ServeOptions, app: App): Promise<Serving> {
  const { ApiServer } = await import('../server/apiServer.ts');
  const server = new ApiServer(app.api.api);
  return { url: await server.start({ host, port }), createLink: null, close: () => server.close() };
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

/** Without a page this is all that is seen of the model; the failure ends the command with its own sentence. */
function announceModel({ engine, modelLoaded }: App): void {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  if (engine.status.state === 'loading') print(`Loading ${engine.status.request.source} ...`);
  const ready = (): void => {
    if (engine.status.state !== 'ready') return;
    const { name, deviceName, format, contextPositions } = engine.status.model;
    print(`Ready: ${name} (${format}) on ${deviceName}, ${contextPositions} positions. Ctrl+C ends.`);
  };
  modelLoaded.then(ready, () => undefined);
}

/** Without a page nobody could choose a model later. Throws NO_MODEL. */
function requireModel({ model }: ServeOptions, { engine, settings }: App): void {
  if (engine.status.state !== 'empty') return;
  const source = sourceOf(model, settings);
  throw new AppError(
    'NO_MODEL',
    `Nemoflash ended while it loaded ${source} the last time, so that it is not loaded by itself. Name it with --model to try again.`,
  );
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
