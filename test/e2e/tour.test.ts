/** The first steps, alone, in a real Chromium. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { scrollsSideways, violations } from '../support/accessibility.ts';
import { chromiumPath, needsChromium } from '../support/browser.ts';
import { hostPage } from '../support/page.ts';
import type { PageHost } from '../support/page.ts';
import { firstSteps } from './page/modelScenes.ts';

const step = (page: Page, n: number) => page.getByRole('dialog', { name: `First steps, ${n} of 3` });
const message = (page: Page) => page.getByRole('textbox', { name: 'Message' });
const caretIn = (page: Page): Promise<unknown> => page.evaluate('document.activeElement.tagName');
const isSeen = (page: Page): Promise<boolean> =>
  page.evaluate(
    "fake.calls.some(({ route, input }) => route === 'settings.update' && input.tourSeen === true)",
  ) as Promise<boolean>;

describe.skipIf(chromiumPath === null)(needsChromium('the first steps'), () => {
  let host: PageHost;
  beforeAll(async () => {
    host = await hostPage();
  });
  afterAll(() => host.close());

  test.each([{}, { dark: true, width: 900, height: 600 }, { zoom: 2 }])(
    'three of them, by keyboard, with nothing for axe to find: %o',
    async (view) => {
      const { page, problems } = await host.open({ ...view, scene: firstSteps });
      await step(page, 1).waitFor();
      // The message field keeps the caret: whoever knows their way just writes.
      await expect.poll(() => caretIn(page)).toBe('TEXTAREA');
      await step(page, 1).getByRole('button', { name: 'Next' }).focus();
      for (const n of [1, 2, 3]) {
        await step(page, n).waitFor();
        await page.waitForTimeout(200); // it fades in
        expect(await violations(page)).toEqual([]);
        expect(await scrollsSideways(page)).toBe(false);
        if (n < 3) {
          await page.keyboard.press('Tab');
          await step(page, n).getByRole('button', { name: 'Next' }).focus();
        } else await step(page, n).getByRole('button', { name: 'Done' }).focus();
        expect(await isSeen(page)).toBe(false);
        await page.keyboard.press('Enter');
      }
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
      expect(await isSeen(page)).toBe(true);
      await expect.poll(() => caretIn(page)).toBe('TEXTAREA');
      expect(problems).toEqual([]);
      await page.context().close();
    },
  );

  test.each([
    ['Esc', (page: Page) => page.keyboard.press('Escape')],
    ['a click elsewhere', (page: Page) => message(page).click()],
    ['Skip', (page: Page) => page.getByRole('button', { name: 'Skip' }).click()],
  ])('%s ends them for good', async (_name, act) => {
    const { page } = await host.open({ scene: firstSteps });
    await step(page, 1).waitFor();
    await act(page);
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
    expect(await isSeen(page)).toBe(true);
    await page.context().close();
  });

  test('come once, and again when asked for', async () => {
    const { page } = await host.open({});
    await message(page).waitFor();
    await page.waitForTimeout(300);
    expect(await page.getByRole('dialog').count()).toBe(0);
    await page.getByRole('button', { name: 'Settings', exact: true }).click();
    await page.getByRole('button', { name: 'Show the first steps' }).click();
    await step(page, 1).waitFor();
    await page.context().close();
  });
});
