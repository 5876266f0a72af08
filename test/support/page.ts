/** The built page in a real Chromium, with the fake bridge and the security policy of the shells. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { build as bundle } from 'esbuild';
import type { Locator, Page } from 'playwright-core';
import { build } from 'vite';

import type { Fake } from '../e2e/page/fakeBridge.ts';
import { collectProblems, openBrowser, patienceMs } from './browser.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.woff': 'font/woff',
  '.ttf': 'font/ttf',
};
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'";

export interface PageHost {
  open(options?: {
    readonly width?: number;
    readonly height?: number;
    readonly dark?: boolean;
    readonly zoom?: number;
    /** Runs in the page before its own scripts. */
    readonly scene?: ((fake: Fake) => void) | undefined;
  }): Promise<{ readonly page: Page; readonly problems: readonly string[] }>;
  close(): Promise<void>;
}

function serve(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    const name = new URL(request.url ?? '/', 'http://page').pathname;
    const file = path.join(folder, name === '/' ? 'index.html' : path.normalize(name));
    readFile(file).then(
      (content) => {
        response.setHeader('content-type', types[path.extname(file)] ?? 'application/octet-stream');
        response.setHeader('content-security-policy', policy);
        response.end(content);
      },
      () => response.writeHead(404).end(),
    );
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

async function bundled(file: string): Promise<string> {
  const result = await bundle({ entryPoints: [file], bundle: true, format: 'iife', write: false, platform: 'browser' });
  return result.outputFiles[0]?.text ?? '';
}

export async function hostPage(): Promise<PageHost> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'nemoflash-page-'));
  await build({
    configFile: path.join(root, 'renderer', 'vite.config.ts'),
    logLevel: 'error',
    build: { outDir: folder, emptyOutDir: true },
  });
  const server = await serve(folder);
  const fake = await bundled(path.join(root, 'test', 'e2e', 'page', 'fakeBridge.ts'));
  const { browser, close } = await openBrowser();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    async open({ width = 1280, height = 800, dark = false, zoom = 1, scene } = {}) {
      const context = await browser.newContext({
        // Zooming makes the page smaller in its own pixels and larger in the screen's.
        viewport: { width: Math.round(width / zoom), height: Math.round(height / zoom) },
        deviceScaleFactor: zoom,
        colorScheme: dark ? 'dark' : 'light',
        permissions: ['clipboard-read', 'clipboard-write'],
      });
      context.setDefaultTimeout(patienceMs);
      const page = await context.newPage();
      const problems = collectProblems(page);
      if (scene !== undefined) await page.addInitScript(`window.scene = ${scene.toString()};`);
      await page.addInitScript(fake);
      await page.goto(url);
      return { page, problems };
    },
    async close() {
      await close();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What the page asked main on a route, in its order. */
export const calls = (page: Page, route: string): Promise<unknown[]> =>
  page.evaluate(`fake.calls.filter((call) => call.route === '${route}').map((call) => call.input)`);

/** Words in the conversation, not in the region that reads them out. */
export const said = (page: Page, words: string): Locator => page.locator('.prose').getByText(words).last();

export const composer = (page: Page): Locator => page.getByLabel('Message', { exact: true });

export async function ask(page: Page, words: string): Promise<void> {
  await composer(page).fill(words);
  await page.keyboard.press('Enter');
}
