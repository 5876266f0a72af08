/**
 * Pictures for the README and the docs: the real pages with the real engine and made-up weights, and the chat with a
 * conversation that reads like one. Light ones in a window of 1280x800, dark ones in 900x600; each view of the latency
 * page in both sizes and both themes, with made-up figures of a GPU.
 * After `npm run build`: node test/e2e/screenshots.ts
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import type { Page } from 'playwright-core';

import { openBrowser } from '../support/browser.ts';
import { freshFolder, removeFolder } from '../support/home.ts';
import { hostPage } from '../support/page.ts';
import { startWebProcess } from '../support/webShell.ts';
import { workingDay } from './page/scenes.ts';

const folder = path.resolve(import.meta.dirname, '..', '..', 'docs', 'screenshots');
const windows = [
  { theme: 'light', width: 1280, height: 800, dark: false },
  { theme: 'dark', width: 900, height: 600, dark: true },
] as const;

async function shoot(page: Page, save: (name: string) => Promise<void>): Promise<void> {
  await page.getByRole('button', { name: /^Model: synthetic:tiny/ }).waitFor();
  await page.getByRole('textbox', { name: 'Message' }).fill('Where is New York?');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByRole('button', { name: /TTFT .* tokens/ }).waitFor();
  await save('chat');
  const settings = page.getByRole('button', { name: 'Settings', exact: true }).first();
  if (!(await settings.isVisible())) await page.getByRole('button', { name: 'Show chats' }).click();
  await settings.click();
  await save('settings');
}

/** What people do in a long chat. Each leaves the page as it found it. */
const moments: Readonly<Record<string, (page: Page) => Promise<() => Promise<unknown>>>> = {
  async conversation() {
    return async () => undefined;
  },
  async branches(page) {
    const versions = page.getByLabel('Version 3 of 3');
    await versions.scrollIntoViewIfNeeded();
    await page.getByRole('button', { name: 'Previous version' }).hover();
    return async () => undefined;
  },
  async search(page) {
    const isNarrow = !(await page.getByLabel('Search chats').isVisible());
    if (isNarrow) await page.getByRole('button', { name: 'Show chats' }).click();
    await page.getByLabel('Search chats').fill('index');
    await page.locator('mark').first().waitFor();
    return async () => {
      await page.getByLabel('Search chats').fill('');
      if (isNarrow) await page.keyboard.press('Escape');
    };
  },
  async inspector(page) {
    await page.getByRole('button', { name: 'Show tokens' }).last().click();
    await page.getByRole('button', { name: /^shape, / }).hover();
    return () => page.getByRole('button', { name: 'Show formatted text' }).last().click();
  },
  async palette(page) {
    await page.keyboard.press('Control+k');
    return () => page.keyboard.press('Escape');
  },
};

async function shootMoments(): Promise<void> {
  const host = await hostPage();
  try {
    for (const { theme, ...size } of windows) {
      const { page, problems } = await host.open({ ...size, scene: workingDay });
      // Drawn once the part for code has come.
      await page.locator('.prose .code-block').first().waitFor();
      for (const [name, arrange] of Object.entries(moments)) {
        const undo = await arrange(page);
        await page.waitForTimeout(300); // transitions
        await page.screenshot({ path: path.join(folder, `${name}-${theme}.png`) });
        await undo();
      }
      if (problems.length > 0) throw new Error(`The page reported: ${problems.join('\n')}`);
    }
  } finally {
    await host.close();
  }
}

const latencyViews = {
  live: 'Live',
  history: 'History',
  benchmark: 'Benchmark',
  compare: 'Compare',
  start: 'Start-up',
};

async function shootLatency(): Promise<void> {
  const host = await hostPage();
  try {
    for (const { width, height } of windows) {
      for (const dark of [false, true]) {
        const { page, problems } = await host.open({ width, height, dark, scene: workingDay });
        await page.getByRole('button', { name: 'Latency', exact: true }).click();
        const save = async (name: string): Promise<void> => {
          await page.mouse.move(0, 0);
          await page.waitForTimeout(400); // what is asked for, and transitions
          const file = `latency-${name}-${width}-${dark ? 'dark' : 'light'}.png`;
          await page.screenshot({ path: path.join(folder, file) });
        };
        for (const [name, title] of Object.entries(latencyViews)) {
          await page.getByRole('tab', { name: title }).click();
          await save(name);
          if (name !== 'live') continue;
          // Further down: where the time goes, and how near the limits it is.
          await page
            .getByRole('region', { name: 'Where a token’s time goes', exact: true })
            .evaluate((panel) => panel.scrollIntoView());
          await save('anatomy');
          await page.getByRole('region', { name: 'Roofline', exact: true }).evaluate((panel) => panel.scrollIntoView());
          await save('roofline');
        }
        if (problems.length > 0) throw new Error(`The page reported: ${problems.join('\n')}`);
      }
    }
  } finally {
    await host.close();
  }
}

mkdirSync(folder, { recursive: true });
await shootMoments();
await shootLatency();
const browser = await openBrowser();
try {
  for (const { theme, ...size } of windows) {
    const home = freshFolder('screenshots');
    const running = await startWebProcess({ home, args: ['--model', 'synthetic:tiny'] });
    const { page, problems } = await browser.newPage(size);
    await page.goto(running.link);
    await page.waitForURL(`${running.url}/`);
    await shoot(page, async (name) => {
      await page.mouse.move(0, 0);
      await page.waitForTimeout(300); // transitions
      await page.screenshot({ path: path.join(folder, `${name}-${theme}.png`) });
    });
    await page.close();
    await running.stop();
    removeFolder(home);
    if (problems.length > 0) throw new Error(`The page reported: ${problems.join('\n')}`);
  }
} finally {
  await browser.close();
}
process.stdout.write(`Wrote ${folder}\n`);
