/** The model pages alone, in a real Chromium, with a main process made of memory. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { scrollsSideways, violations } from '../support/accessibility.ts';
import { chromiumPath, needsChromium } from '../support/browser.ts';
import { calls, hostPage } from '../support/page.ts';
import type { PageHost } from '../support/page.ts';
import { diskFull, gated, library } from './page/modelScenes.ts';

async function toPage(page: Page, name: string): Promise<void> {
  const entry = page.getByRole('button', { name, exact: true }).first();
  if (!(await entry.isVisible())) await page.getByRole('button', { name: 'Show chats' }).click();
  await entry.click();
}

const model = (page: Page) => page.getByRole('listitem', { name: 'Nemotron-Flash-3B-Instruct' });

async function openDetails(page: Page): Promise<void> {
  await toPage(page, 'Models');
  await model(page).getByText('Details', { exact: true }).click();
  await model(page).getByRole('table').waitFor();
}

describe.skipIf(chromiumPath === null)(needsChromium('the model pages'), () => {
  let host: PageHost;
  beforeAll(async () => {
    host = await hostPage();
  });
  afterAll(() => host.close());

  const places: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
    library: openDetails,
    network: async (page) => {
      await toPage(page, 'Settings');
      await page.getByRole('cell', { name: 'TIMEOUT' }).waitFor();
    },
    completion: async (page) => {
      await toPage(page, 'Models');
      await page.getByRole('button', { name: 'Load: Nemotron-Flash-1B', exact: true }).click();
      await page.getByLabel('Text to go on with').waitFor();
    },
  };

  test.each(Object.keys(places))('%s: axe finds nothing, nothing scrolls sideways', async (name) => {
    for (const view of [{}, { width: 900, height: 600, dark: true }, { zoom: 2 }]) {
      const { page, problems } = await host.open({ ...view, scene: library });
      await places[name]?.(page);
      await page.waitForTimeout(300);
      expect(await violations(page)).toEqual([]);
      expect(await scrollsSideways(page)).toBe(false);
      expect(problems).toEqual([]);
      await page.context().close();
    }
  });

  test('a download that stands still says why, and leads to where it is mended', async () => {
    const full = await host.open({ scene: diskFull });
    await full.page.getByText('Make room, then resume').waitFor();
    await full.page.getByRole('button', { name: 'Resume' }).click();
    expect(await calls(full.page, 'models.resume')).toHaveLength(1);
    await full.page.context().close();

    const { page } = await host.open({ scene: gated });
    await page.getByRole('button', { name: 'Open settings' }).click();
    await page.getByLabel('Access token', { exact: true }).fill('hf_secret');
    await page.getByRole('button', { name: 'Save token' }).click();
    await page.getByText('kept in the system’s secret store').waitFor();
    expect(await calls(page, 'hub.setToken')).toEqual([{ token: 'hf_secret' }]);
    expect(await page.evaluate('document.documentElement.outerHTML')).not.toContain('hf_secret');
    await page.context().close();
  });

  test('what a test of the connection finds wrong stands at the setting it is about', async () => {
    const { page } = await host.open({ scene: library });
    await toPage(page, 'Settings');
    await page.getByLabel('Proxy', { exact: true }).fill('nonsense');
    await page.keyboard.press('Enter');
    await page.getByText('An address begins with').waitFor();
    await page.getByLabel('Proxy', { exact: true }).fill('http://proxy.invalid:3128');
    await page.keyboard.press('Enter');
    const problem = { code: 'PROXY', message: 'The proxy could not be used to reach hub.invalid.', retryable: true };
    const failed = { part: 'proxy', endpoint: 'https://hub.invalid', durationMs: 3, finding: null, problem };
    await page.evaluate(`fake.answers['hub.test'] = ${JSON.stringify(failed)}`);
    await page.getByRole('button', { name: 'Test: Proxy' }).click();
    await page.getByText(problem.message).waitFor();
    expect(await calls(page, 'hub.test')).toEqual([{ part: 'proxy' }]);
    expect(await page.getByLabel('Proxy', { exact: true }).getAttribute('aria-invalid')).toBe('true');
    expect(await page.getByLabel('Hub address', { exact: true }).getAttribute('aria-invalid')).toBe('false');
    await page.evaluate(`delete fake.answers['hub.test']`);
    await page.getByRole('button', { name: 'Test connection' }).click();
    await page.getByText('The token belongs to mira').waitFor();
    expect(await page.getByText(problem.message).count()).toBe(0);
    const saved = (await calls(page, 'settings.update')) as { hub: { proxy: string } }[];
    expect(saved.map(({ hub }) => hub.proxy)).toEqual(['http://proxy.invalid:3128']);
    await page.context().close();
  });

  test('a folder that is dropped anywhere is added, and the window stays', async () => {
    const { page } = await host.open({ scene: library });
    await page.evaluate("window.bridge.pathOf = () => '/media/usb/Nemotron-Flash-1B'");
    const taken = await page.evaluate(`['dragover', 'drop'].map((kind) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([''], 'Nemotron-Flash-1B'));
      return !document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
    })`);
    expect(taken).toEqual([true, true]);
    expect(await calls(page, 'models.import')).toEqual([{ path: '/media/usb/Nemotron-Flash-1B' }]);
    await model(page).waitFor();
    await page.context().close();
  });

  test('a format is made ready with progress and can be stopped', async () => {
    const { page } = await host.open({ scene: library });
    await openDetails(page);
    await page.getByRole('button', { name: 'Make ready: int8' }).click();
    const modelId = 'nvidia/Nemotron-Flash-3B-Instruct@1a2b3c4';
    const progress = { modelId, kind: 'makeFormat', doneBytes: 1_380_000_000, totalBytes: 5_520_000_000 };
    await page.evaluate(`fake.emit('models.task', ${JSON.stringify(progress)})`);
    const bar = model(page).getByRole('progressbar');
    await expect.poll(() => bar.getAttribute('aria-valuenow')).toBe('25');
    await model(page).getByRole('button', { name: 'Stop', exact: true }).click();
    expect(await calls(page, 'models.cancelTask')).toEqual([{ modelId }]);
    await page.context().close();
  });

  test('deleting can be undone, an update is shown and not taken', async () => {
    const { page } = await host.open({ scene: library });
    await openDetails(page);
    await model(page).getByRole('button', { name: 'Check for update' }).click();
    await model(page).getByText('c0ffee0ddba1').waitFor();
    expect(await calls(page, 'models.download')).toEqual([]);
    await model(page).getByRole('button', { name: 'Delete', exact: true }).click();
    await page.getByText('Nemotron-Flash-3B-Instruct was deleted').waitFor();
    expect(await model(page).count()).toBe(0);
    await page.getByRole('button', { name: 'Undo' }).click();
    await model(page).waitFor();
    await page.context().close();
  });

  test('a base model goes on with a text, and the continuation can be taken back', async () => {
    const { page } = await host.open({ scene: library });
    await places['completion']?.(page);
    const field = page.getByLabel('Text to go on with');
    await field.fill('Why? ');
    await page.getByRole('button', { name: 'Continue the text' }).click();
    await expect.poll(() => field.inputValue()).toContain('Why? The sky is blue because');
    await page.getByRole('button', { name: 'Take back the last continuation' }).click();
    expect(await field.inputValue()).toBe('Why? ');
    expect(await calls(page, 'chat.send')).toMatchObject([{ parentId: null, content: 'Why? ' }]);
    const updates = (await calls(page, 'chats.update')) as { sampling?: { promptFormat: string } }[];
    expect(updates.map(({ sampling }) => sampling?.promptFormat)).toContain('raw');
    await page.context().close();
  });
});
