/**
 * The states of the model pages as pictures, with a main process made of memory, since most of them need a full disk or a
 * hub that refuses. Each in light and dark, in 1280x800 and, named so, in 900x600.
 * node test/e2e/modelScreenshots.ts [FOLDER]
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import type { Page } from 'playwright-core';

import { hostPage } from '../support/page.ts';
import type { Fake } from './page/fakeBridge.ts';
import { checking, diskFull, downloading, firstSteps, gated, library, onboarding } from './page/modelScenes.ts';

const folder = path.resolve(process.argv[2] ?? path.join(import.meta.dirname, '../../docs/screenshots'));
const windows = [false, true].flatMap((dark) => [
  { dark, width: 1280, height: 800 },
  { dark, width: 900, height: 600 },
]);

const toPage = async (page: Page, name: string): Promise<void> => {
  const entry = page.getByRole('button', { name, exact: true }).first();
  if (!(await entry.isVisible())) await page.getByRole('button', { name: 'Show chats' }).click();
  await entry.click();
};

interface State {
  readonly scene: (fake: Fake) => void;
  readonly reach?: (page: Page) => Promise<void>;
}

const states: Readonly<Record<string, State>> = {
  onboarding: { scene: onboarding },
  downloading: { scene: downloading },
  'disk-full': { scene: diskFull },
  gated: { scene: gated },
  verifying: { scene: checking },
  'first-steps': { scene: firstSteps },
  library: {
    scene: library,
    reach: async (page) => {
      await toPage(page, 'Models');
      await page.getByText('Details', { exact: true }).first().click();
      await page.getByRole('button', { name: 'Make ready: int8' }).click();
      const progress = { modelId: 'nvidia/Nemotron-Flash-3B-Instruct@1a2b3c4', kind: 'makeFormat' };
      const event = JSON.stringify({ ...progress, doneBytes: 2_100_000_000, totalBytes: 5_520_000_000 });
      await page.evaluate(`fake.emit('models.task', ${event})`);
    },
  },
  network: {
    scene: library,
    reach: async (page) => {
      await toPage(page, 'Settings');
      await page.getByRole('button', { name: 'Test connection' }).click();
      await page.getByText('The token belongs to').waitFor();
      await page
        .getByRole('button', { name: 'Test connection' })
        .evaluate('(button) => button.scrollIntoView({ block: "center" })');
    },
  },
  completion: {
    scene: library,
    reach: async (page) => {
      await toPage(page, 'Models');
      await page.getByRole('button', { name: 'Load: Nemotron-Flash-1B', exact: true }).click();
      await page.getByLabel('Text to go on with').fill('Why is the sky blue? ');
      await page.getByRole('button', { name: 'Continue the text' }).click();
      await page.getByRole('button', { name: 'Continue the text' }).waitFor();
    },
  },
};

mkdirSync(folder, { recursive: true });
const host = await hostPage();
try {
  for (const { dark, width, height } of windows) {
    for (const [name, { scene, reach }] of Object.entries(states)) {
      const { page, problems } = await host.open({ dark, width, height, scene });
      await page.getByRole('button', { name: 'Commands' }).waitFor();
      await reach?.(page);
      await page.mouse.move(0, 0);
      await page.waitForTimeout(300); // transitions
      const suffix = `${dark ? 'dark' : 'light'}${width === 1280 ? '' : `-${width}`}`;
      await page.screenshot({ path: path.join(folder, `${name}-${suffix}.png`) });
      await page.context().close();
      if (problems.length > 0) throw new Error(`${name}: ${problems.join('\n')}`);
    }
  }
} finally {
  await host.close();
}
process.stdout.write(`Wrote ${folder}\n`);
