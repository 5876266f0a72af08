/** A real Chromium for tests: found, started with a fresh profile, and cut off from everything but loopback. */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** CHROMIUM_PATH, then what the system has on its PATH, then Playwright's own; null when there is none. */
export function findChromium(): string | null {
  const named = process.env['CHROMIUM_PATH'];
  if (named !== undefined && named !== '') {
    if (!isProgram(named)) throw new Error(`CHROMIUM_PATH names ${named}, which is not a program.`);
    return named;
  }
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/bin'].filter((folder) => folder !== '');
  const candidates = [...names.flatMap((name) => folders.map((folder) => path.join(folder, name)))];
  return [...candidates, chromium.executablePath()].find(isProgram) ?? null;
}

export const chromiumPath = findChromium();

/** For the name of a suite: says why it is skipped and what to do about it. */
export function needsChromium(title: string): string {
  if (chromiumPath !== null) return title;
  return `${title} [skipped: no Chromium was found; apt-get install chromium, or set CHROMIUM_PATH]`;
}

/** Quiet, without sandbox where root must run it, and with no name or address outside this machine to be reached. */
export const chromiumFlags: readonly string[] = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-default-apps',
  '--password-store=basic',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];

/** For what is waited for in a page: a limit for what never comes, not a measure of speed. */
export const patienceMs = 100_000;

export interface TestPage {
  readonly page: Page;
  /** Errors on the page's console (violations of the policy among them) and uncaught exceptions. */
  readonly problems: readonly string[];
}

export interface TestBrowser {
  readonly browser: Browser;
  /** A page in a profile of its own: no cookie is shared with another one. */
  newPage(options?: { readonly width?: number; readonly height?: number; readonly dark?: boolean }): Promise<TestPage>;
  close(): Promise<void>;
}

export function collectProblems(page: Page): readonly string[] {
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`${message.text()} ${message.location().url}`.trim());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  return problems;
}

/** Flags that are given again replace those above. */
export async function openBrowser(flags: readonly string[] = []): Promise<TestBrowser> {
  if (chromiumPath === null) throw new Error('No Chromium was found; apt-get install chromium, or set CHROMIUM_PATH.');
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    args: [...chromiumFlags, ...flags],
    chromiumSandbox: false,
  });
  return {
    browser,
    async newPage({ width = 1280, height = 800, dark = false } = {}) {
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: dark ? 'dark' : 'light',
        reducedMotion: 'reduce',
      });
      context.setDefaultTimeout(patienceMs);
      const page = await context.newPage();
      return { page, problems: collectProblems(page) };
    },
    close: () => browser.close(),
  };
}
