/** The latency page alone: what it costs while it is hidden, and while it is open. */
import { readFileSync } from 'node:fs';

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { chromiumPath, needsChromium } from '../support/browser.ts';
import { scrollsSideways, violations } from '../support/accessibility.ts';
import { hostPage } from '../support/page.ts';
import type { PageHost } from '../support/page.ts';
import { conversation } from './page/scenes.ts';

/** Counts every timer and animation frame that the page asks for. */
function countTimers(): void {
  const counts = { timers: 0, frames: 0 };
  const page = globalThis as unknown as Record<string, (...given: unknown[]) => unknown>;
  const counted = (name: string, kind: keyof typeof counts): void => {
    const original = page[name]!.bind(globalThis);
    page[name] = (...given) => {
      counts[kind] += 1;
      return original(...given);
    };
  };
  counted('setTimeout', 'timers');
  counted('setInterval', 'timers');
  counted('requestAnimationFrame', 'frames');
  Object.assign(globalThis, { counts });
}

const open = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
const metricCalls = (page: Page): Promise<number> =>
  page.evaluate("fake.calls.filter((call) => call.route.startsWith('metrics.')).length");

describe.skipIf(chromiumPath === null)(needsChromium('the latency page'), () => {
  let host: PageHost;
  beforeAll(async () => {
    host = await hostPage();
  });
  afterAll(() => host.close());

  test('hidden, it asks nothing and has no timer, also after it was open', async () => {
    const { page, problems } = await host.open({ scene: countTimers });
    await page.getByLabel('Message', { exact: true }).fill('Why is the sky blue?');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: /TTFT/ }).click();
    await expect.poll(() => metricCalls(page)).toBeGreaterThan(3);
    await page.keyboard.press('Control+1');
    await page.getByLabel('Message', { exact: true }).waitFor();
    const countsIn = async (ms: number): Promise<unknown> => {
      await page.evaluate('Object.assign(counts, { timers: 0, frames: 0 })');
      await page.waitForTimeout(ms);
      return page.evaluate('counts');
    };
    const none = { timers: 0, frames: 0 };
    await expect.poll(() => countsIn(300)).toEqual(none); // what was begun before comes to its end
    const asked = await metricCalls(page);
    expect(await countsIn(1500)).toEqual(none);
    expect(await metricCalls(page)).toBe(asked);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('open, it draws every token and changes the document a few times a second', async () => {
    const { page, problems } = await host.open();
    await page.evaluate("fake.answer = 'word '.repeat(600)");
    await page.getByLabel('Message', { exact: true }).fill('Go on');
    await page.keyboard.press('Enter');
    await open(page, 'Latency');
    const strip = page.getByRole('img', { name: /gaps between tokens/ });
    await strip.waitFor();
    await page.evaluate(`(() => {
      window.batches = 0;
      new MutationObserver(() => (batches += 1)).observe(document.querySelector('.dash'), {
        subtree: true, childList: true, attributes: true, characterData: true });
    })()`);
    await page.evaluate('window.before = { at: performance.now(), calls: fake.calls.length }');
    await expect.poll(() => page.evaluate('batches')).toBeGreaterThan(0);
    await page.waitForTimeout(1000);
    const since = await page.evaluate<Record<'seconds' | 'batches' | 'calls', number>>(`({
      seconds: (performance.now() - before.at) / 1000, batches, calls: fake.calls.length - before.calls })`);
    // 60 frames of tokens came a second; text is renewed twice a second, sensors once.
    expect(since.batches).toBeLessThanOrEqual(8 * since.seconds);
    expect(since.calls).toBeLessThanOrEqual(3 * since.seconds);
    await page.getByRole('group', { name: 'Export' }).waitFor();
    expect(await strip.getAttribute('aria-label')).toMatch(/^599 gaps|^600 gaps/);
    // In a tab that nobody sees the sensors are left alone.
    const samples = "fake.calls.filter(({ route }) => route === 'metrics.sample').length";
    await page.evaluate(`(() => {
      Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    })()`);
    const seen = await page.evaluate<number>(samples);
    await page.waitForTimeout(1200);
    expect(await page.evaluate<number>(samples)).toBe(seen);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('the strip has the colours of the theme, also where motion is reduced', async () => {
    const { page } = await host.open({ scene: conversation });
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await open(page, 'Latency');
    await page.locator('.strip-worst').first().waitFor();
    const greens = await page.evaluate<
      readonly [number, number]
    >(`[...document.querySelectorAll('.strip-canvas')].map((layer) => {
      const { data } = layer.getContext('2d').getImageData(0, 0, layer.width, layer.height);
      let green = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200 && data[i + 1] > data[i] + 60) green += 1;
      return green;
    })`);
    // Dots are in the accent's colour, the grid and its words are not.
    expect(greens[0]).toBe(0);
    expect(greens[1]).toBeGreaterThan(100);
    await page.context().close();
  });

  test('a slow token says what else happened then; the dot and the list are one choice', async () => {
    const { page } = await host.open({ scene: conversation });
    await open(page, 'Latency');
    await page.locator('.worst-entry').first().click();
    await page.getByText(/garbage collection in main \(2\.90/).waitFor();
    const dot = page.locator('.strip-worst[aria-pressed="true"]');
    expect(await dot.count()).toBe(1);
    await page.locator('.strip-worst').nth(2).click({ force: true });
    await page.getByText(/another request waited or ran/).waitFor();
    await page.context().close();
  });

  test('a benchmark runs, is shown beside published figures, and leaves as JSON and as a card', async () => {
    const { page, problems } = await host.open();
    await open(page, 'Latency');
    await page.getByRole('tab', { name: 'Benchmark' }).click();
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await expect
      .poll(() => page.evaluate("fake.calls.filter(({ route }) => route === 'bench.run').map(({ input }) => input)"))
      .toEqual([{ plan: 'quick' }]);
    const row = page.getByRole('row', { name: 'Decode 8' });
    const texts = (await row.getByRole('cell').allInnerTexts()).map((text) => text.replace(/\s+/g, ' '));
    expect(texts.slice(0, 4)).toEqual(['311', '306 – 313', '26.3 s', '3.10 ms']);
    // 8192 tokens in 28.71 s.
    const theirs = page.getByRole('listitem').filter({ hasText: 'Nemotron-Flash-3B' });
    expect(await theirs.innerText()).toMatch(/285\s*tok\/s\s*28\.7\s*s/);
    const save = async (name: string): Promise<Buffer> => {
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name, exact: true }).click();
      return readFileSync(await (await download).path());
    };
    const [kept] = await page.evaluate<unknown[]>('bridge.request("bench.list", {}).then(({ value }) => value)');
    expect(JSON.parse((await save('JSON')).toString())).toEqual(kept);
    const card = await save('Share card');
    expect(card.subarray(1, 4).toString()).toBe('PNG');
    expect([card.readUInt32BE(16), card.readUInt32BE(20)]).toEqual([1200, 630]);
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('two settings are compared in words, with an interval', async () => {
    const { page } = await host.open();
    await open(page, 'Latency');
    await page.getByRole('tab', { name: 'Compare' }).click();
    const second = page.getByRole('group', { name: 'Setting B' });
    await second.getByLabel('Weight format').selectOption('int8');
    await second.getByLabel('Decode step in one piece').selectOption('off');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByText('B is slower by 22.9 % (95 % interval 22.5 to 23.3 %)').waitFor();
    const [asked] = await page.evaluate<unknown[]>(
      "fake.calls.filter(({ route }) => route === 'bench.compare').map(({ input }) => input)",
    );
    expect(asked).toEqual({ first: {}, second: { format: 'int8', useGraph: false }, rounds: 6, tokens: 32 });
    await page.context().close();
  });

  test.each(['Live', 'History', 'Benchmark', 'Compare', 'Start-up'])(
    '%s: axe finds nothing, nothing scrolls sideways, narrow and enlarged',
    async (tab) => {
      for (const view of [{ width: 900, height: 600, dark: true }, { zoom: 2 }]) {
        const { page, problems } = await host.open({ ...view, scene: conversation });
        await page.getByLabel('Message', { exact: true }).waitFor(); // keys are heard from here on
        await page.keyboard.press('Control+3');
        await page.getByRole('tab', { name: tab }).click();
        await page.waitForTimeout(300);
        expect(await violations(page)).toEqual([]);
        expect(await scrollsSideways(page)).toBe(false);
        expect(problems).toEqual([]);
        await page.context().close();
      }
    },
  );

  test('says that answers became slower since the driver changed, and that a GPU has no sensors here', async () => {
    const { page } = await host.open({
      scene: (fake) => {
        fake.overview = { ...fake.overview, regression: fake.regression };
        fake.sample = { ...fake.sample, gpu: null, gpuReason: 'The NVIDIA driver library was not found.' };
      },
    });
    await open(page, 'Latency');
    await page.getByText('Answers became slower by 12').waitFor();
    // On the other pages it is said once, after an answer.
    await page.keyboard.press('Control+1');
    await page.getByLabel('Message', { exact: true }).fill('Why is the sky blue?');
    await page.keyboard.press('Enter');
    const toast = page.locator('.toasts').getByText('Answers became slower by 12');
    await toast.waitFor();
    await page.locator('.toasts').getByRole('button', { name: 'Dismiss' }).click();
    await expect.poll(() => toast.count()).toBe(0);
    await page.getByRole('button', { name: 'Answer again' }).click();
    await page.getByText('2/2').waitFor();
    await page.getByRole('button', { name: /TTFT/ }).waitFor();
    expect(await toast.count()).toBe(0);
    await open(page, 'Latency');
    await page.getByText('GPU sensors: not available').waitFor();
    await page.getByText('The NVIDIA driver library was not found.').waitFor();
    await page.context().close();
  });
});
