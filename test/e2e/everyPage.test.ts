/** Every page, by machine: axe finds nothing, nothing scrolls sideways, light and dark, narrow and enlarged. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { scrollsSideways, violations } from '../support/accessibility.ts';
import { chromiumPath, needsChromium } from '../support/browser.ts';
import { hostPage } from '../support/page.ts';
import type { PageHost } from '../support/page.ts';
import { conversation, cutAndInspected, firstStart, oversized } from './page/scenes.ts';

const composer = (page: Page) => page.getByLabel('Message', { exact: true });

describe.skipIf(chromiumPath === null)(needsChromium('every page'), () => {
  let host: PageHost;
  beforeAll(async () => {
    host = await hostPage();
  });
  afterAll(() => host.close());

  const rail = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
  const pages: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
    conversation: (page) => page.getByText('Attention keeps').waitFor(),
    models: (page) => rail(page, 'Models').click(),
    latency: (page) => rail(page, 'Latency').click(),
    API: (page) => rail(page, 'API').click(),
    settings: (page) => rail(page, 'Settings').click(),
    palette: (page) => page.keyboard.press('Control+k'),
    sampling: (page) => page.keyboard.press('Control+.'),
    'model chip': (page) => page.locator('.chip').click(),
  };

  for (const dark of [false, true]) {
    test.each(Object.keys(pages))(
      `%s, ${dark ? 'dark' : 'light'}: axe finds nothing, nothing scrolls sideways`,
      async (name) => {
        const { page, problems } = await host.open({ dark, scene: conversation });
        await page.locator('.prose').last().waitFor();
        if (name === 'conversation') await page.evaluate("document.querySelector('.messages-scroll').scrollTop = 0");
        await pages[name]?.(page);
        await page.waitForTimeout(300);
        expect(await violations(page)).toEqual([]);
        expect(await scrollsSideways(page)).toBe(false);
        expect(problems).toEqual([]);
        await page.context().close();
      },
    );
  }

  for (const dark of [false, true]) {
    test(`a cut, its context panel and the token inspector, ${dark ? 'dark' : 'light'}: axe finds nothing`, async () => {
      const { page, problems } = await host.open({ dark, scene: cutAndInspected });
      const cut = page.getByText('The model no longer sees the 2 messages above');
      await cut.waitFor();
      await page.getByText('It has this summary instead').click();
      await page.getByRole('button', { name: 'Show tokens' }).last().click();
      await page.getByRole('button', { name: 'jacket, 36.8 %' }).hover();
      expect(await violations(page)).toEqual([]);
      await page.getByRole('button', { name: /^Context: / }).click();
      await page.getByText('Turns kept in full').waitFor();
      expect(await violations(page)).toEqual([]);
      expect(await scrollsSideways(page)).toBe(false);
      expect(problems).toEqual([]);
      await page.context().close();
    });
  }

  const scenes = { conversation, oversized, 'first start': firstStart };
  test.each(['conversation', 'oversized', 'first start'] as const)(
    '%s holds in 900x600 and enlarged twice',
    async (name) => {
      for (const view of [{ width: 900, height: 600 }, { zoom: 2 }]) {
        const { page, problems } = await host.open({ ...view, scene: scenes[name] });
        await composer(page).waitFor();
        await page.waitForTimeout(300);
        expect(await scrollsSideways(page)).toBe(false);
        expect(await violations(page)).toEqual([]);
        expect(problems).toEqual([]);
        await page.context().close();
      }
    },
  );
});
