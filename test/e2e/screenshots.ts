/**
 * The real pages, with the real engine and made-up weights, as pictures for the README.
 * Light ones in a window of 1280x800, dark ones in 900x600. After `npm run build`: node test/e2e/screenshots.ts
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import type { Page } from 'playwright-core';

import { openBrowser } from '../support/browser.ts';
import { freshFolder, removeFolder } from '../support/home.ts';
import { startWebProcess } from '../support/webShell.ts';

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
  for (const name of ['Latency', 'Settings']) {
    const entry = page.getByRole('button', { name, exact: true }).first();
    if (!(await entry.isVisible())) await page.getByRole('button', { name: 'Show chats' }).click();
    await entry.click();
    await save(name.toLowerCase());
  }
}

mkdirSync(folder, { recursive: true });
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
