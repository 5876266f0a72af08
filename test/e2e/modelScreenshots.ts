/**
 * The states of the model pages as pictures, with a main process made of memory, since most of them need a full disk or a
 * hub that refuses. Light ones in 1280x800, dark ones in 900x600; with --all every state in both, into FOLDER.
 * node test/e2e/modelScreenshots.ts [--all FOLDER]
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import type { Page } from 'playwright-core';

import { hostPage } from '../support/page.ts';
import type { Fake } from './page/fakeBridge.ts';
import { checking, diskFull, downloading, gated, library, onboarding } from './page/modelScenes.ts';

const all = process.argv[2] === '--all';
const folder = path.resolve(all ? (process.argv[3] ?? '.') : path.join(import.meta.dirname, '../../docs/screenshots'));
const sizes = [
  { width: 1280, height: 800 },
  { width: 900, height: 600 },
] as const;
const windows = [false, true].flatMap((dark) =>
  sizes.filter((_, index) => all || index === (dark ? 1 : 0)).map((size) => ({ ...size, dark })),
);

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
      const suffix = `${dark ? 'dark' : 'light'}${all ? `-${width}` : ''}`;
      await page.screenshot({ path: path.join(folder, `${name}-${suffix}.png`) });
      await page.context().close();
      if (problems.length > 0) throw new Error(`${name}: ${problems.join('\n')}`);
    }
  }
} finally {
  await host.close();
}
process.stdout.write(`Wrote ${folder}\n`);
