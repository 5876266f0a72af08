/** The page alone, in a real Chromium under the shells' security policy, with a main process made of memory. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { violations } from '../support/accessibility.ts';
import { chromiumPath, needsChromium } from '../support/browser.ts';
import { hostPage } from '../support/page.ts';
import type { PageHost } from '../support/page.ts';
import { apiBusy, conversation, cutAndInspected, endless, firstStart, troubledStart } from './page/scenes.ts';

const calls = (page: Page, route: string): Promise<unknown[]> =>
  page.evaluate(`fake.calls.filter((call) => call.route === '${route}').map((call) => call.input)`);

/** Words in the conversation, not in the region that reads them out. */
const said = (page: Page, words: string) => page.locator('.prose').getByText(words).last();

const composer = (page: Page) => page.getByLabel('Message', { exact: true });

async function ask(page: Page, words: string): Promise<void> {
  await composer(page).fill(words);
  await page.keyboard.press('Enter');
}

describe.skipIf(chromiumPath === null)(needsChromium('the page'), () => {
  let host: PageHost;
  beforeAll(async () => {
    host = await hostPage();
  });
  afterAll(() => host.close());

  const rail = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

  test('what a full context does is chosen in the chat, and offered where it is met', async () => {
    const { page } = await host.open();
    await page.evaluate(`fake.fail['chat.send'] = { code: 'CONTEXT_FULL', message: 'It is full.', retryable: false }`);
    await ask(page, 'One more');
    await page.getByText('It is full.').waitFor();
    expect(await composer(page).inputValue()).toBe('One more');
    await page.getByRole('button', { name: 'Leave out older turns' }).click();
    await page.getByRole('button', { name: /^Context: / }).click();
    await page.getByRole('radio', { name: 'Summarise' }).click();
    const updates = (await calls(page, 'chats.update')) as { context?: { kind: string } }[];
    expect(updates.flatMap(({ context }) => context?.kind ?? [])).toEqual(['roll', 'summarise']);
    await page.context().close();
  });

  test('the inspector shows each token by keyboard, and going on with another one begins a version', async () => {
    const { page } = await host.open({ scene: cutAndInspected });
    await page.getByRole('button', { name: 'Show tokens' }).last().click();
    await page.getByRole('button', { name: /^A, / }).focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.getByText('token 3').waitFor();
    await page.getByRole('button', { name: /^Go on with\s+warm/ }).click();
    expect(await calls(page, 'chat.branch')).toEqual([{ chatId: 'cut', messageId: 't3', tokenIndex: 2, token: 100 }]);
    await page.getByLabel('Version 2 of 2').waitFor();
    await page.context().close();
  });

  test('sampling options are kept under a name, renamed, applied and deleted; curl says the same', async () => {
    const { page } = await host.open();
    await page.getByRole('heading', { name: 'Nemotron-Flash-3B-Instruct' }).waitFor();
    await page.keyboard.press('Control+.');
    await page.getByRole('textbox', { name: 'Temperature' }).fill('0.3');
    await page.getByRole('button', { name: 'Save as preset' }).click();
    await page.keyboard.type('Careful');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Careful', exact: true, pressed: true }).waitFor();
    await page.getByRole('button', { name: 'Reset all' }).click();
    await page.getByRole('button', { name: 'Actions for the preset “Careful”' }).click();
    await page.getByRole('menuitem', { name: 'Rename' }).click();
    await page.getByLabel('Name of the preset').fill('Very careful');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Very careful', exact: true }).click();
    expect(await page.getByRole('textbox', { name: 'Temperature' }).inputValue()).toBe('0.3');
    await page.getByText('Effective settings', { exact: true }).click();
    await page.getByRole('radio', { name: 'curl' }).click();
    expect(await page.getByRole('region', { name: 'Effective settings' }).innerText()).toContain('"temperature": 0.3');
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Actions for the preset “Very careful”' }).click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    const updates = (await calls(page, 'settings.update')) as { presets?: { name: string }[] }[];
    const names = updates.flatMap(({ presets }) => (presets ? [presets.map(({ name }) => name)] : []));
    expect(names).toEqual([['Careful'], ['Very careful'], []]);
    await page.context().close();
  });

  test('the API page switches, says what to do about a taken port, shows requests, and hides the key', async () => {
    const { page, problems } = await host.open({ scene: apiBusy });
    await rail(page, 'API').click();
    await page.getByRole('row', { name: /\/responses Writing 40 96/ }).waitFor();
    await page.getByRole('row', { name: /\/embeddings Refused, 404/ }).waitFor();

    const key = (await page.evaluate("bridge.request('api.key', {}).then(({ value }) => value.key)")) as string;
    expect(await page.locator('.api').innerText()).not.toContain(key);
    await page.getByRole('button', { name: 'Copy, with the key' }).click();
    expect(await page.evaluate('navigator.clipboard.readText()')).toContain(`Authorization: Bearer ${key}`);
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByText(key, { exact: true }).waitFor();
    await page.getByRole('button', { name: 'New key' }).click();
    await page.getByRole('button', { name: 'Replace the key' }).click();
    await page.getByText('The key is new.').waitFor();
    expect(await page.locator('.api').innerText()).not.toContain(key);

    const taken = { code: 'BAD_ARGUMENT', message: 'Port 8080 is taken by another program.', retryable: false };
    await page.evaluate(`fake.fail['port 8080'] = ${JSON.stringify(taken)}`);
    await page.getByRole('switch').click();
    await page.getByRole('alert').getByText(taken.message).waitFor();
    await page.getByRole('button', { name: 'Use port 8081' }).click();
    await page.getByText('http://127.0.0.1:8081/v1', { exact: true }).waitFor();
    expect(await calls(page, 'settings.update')).toContainEqual({ api: { enabled: true, port: 8081 } });
    await page.getByLabel('Port').fill('80');
    await page.keyboard.press('Enter');
    expect(await page.getByLabel('Port').getAttribute('aria-invalid')).toBe('true');
    await page.getByRole('switch').click();
    await page.getByText('Off', { exact: true }).waitFor();
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('an answer streams, and its figures come from the engine', async () => {
    const { page, problems } = await host.open();
    await ask(page, 'Why is the sky blue?');
    await said(page, 'short waves more than long ones.').waitFor();
    const strip = page.getByRole('button', { name: /TTFT/ });
    await strip.waitFor();
    expect((await strip.innerText()).replace(/\s+/g, ' ')).toContain('TTFT 42.0 ms');
    expect((await strip.innerText()).replace(/\s+/g, ' ')).toContain('reused 4 812 of 4 901');
    await strip.click();
    await page.getByText('Three clocks, never mixed').waitFor();
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('Esc stops, and nothing that arrives later is shown', async () => {
    const { page } = await host.open();
    await page.evaluate("fake.answer = 'word '.repeat(5000)");
    await ask(page, 'Go on for ever');
    await said(page, 'word word').waitFor();
    await page.keyboard.press('Escape');
    await page.getByText('Stopped by you.').waitFor();
    const before = (await page.locator('.prose').innerText()).trim();
    await page.evaluate(`(() => {
      const run = fake.lastRun();
      fake.emit('chat.tokens', { ...run, text: 'LATE', timings: [], sentAt: 0 });
    })()`);
    await page.waitForTimeout(100);
    expect((await page.locator('.prose').innerText()).trim()).toBe(before);
    await page.context().close();
  });

  test('answering again makes a version beside the old one, and both can be reached', async () => {
    const { page } = await host.open();
    await page.evaluate("fake.answer = 'First answer.'");
    await ask(page, 'Question');
    await said(page, 'First answer.').waitFor();
    await page.evaluate("fake.answer = 'Second answer.'");
    await page.getByRole('button', { name: 'Answer again' }).click();
    await said(page, 'Second answer.').waitFor();
    await page.getByLabel('Version 2 of 2').waitFor();
    await page.getByRole('button', { name: 'Previous version' }).click();
    await said(page, 'First answer.').waitFor();
    await page.context().close();
  });

  test('an edited question is sent under the same parent', async () => {
    const { page } = await host.open();
    await ask(page, 'Old question');
    await page.getByRole('button', { name: /TTFT/ }).waitFor();
    await page.getByRole('button', { name: 'Edit and send again' }).click();
    await page.getByLabel('Edit the message').fill('New question');
    await page.keyboard.press('Enter');
    await page.getByText('New question', { exact: true }).first().waitFor();
    const sent = (await calls(page, 'chat.send')) as { parentId: unknown; content: string }[];
    expect(sent.map(({ parentId, content }) => [parentId, content])).toEqual([
      [null, 'Old question'],
      [null, 'New question'],
    ]);
    await page.context().close();
  });

  test('copy gives the raw text of the model', async () => {
    const { page } = await host.open();
    const raw = 'A **bold** claim: \\(x\\) costs $5 and $6.\n\n| a | b |\n|---|---|\n| `1 | 2` | 3 |';
    await page.evaluate(`fake.answer = ${JSON.stringify(raw)}`);
    await ask(page, 'Copy me');
    await page.getByRole('button', { name: /TTFT/ }).waitFor();
    await page.locator('.turn-answer').getByRole('button', { name: 'Copy text' }).click();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(raw);
    await page.context().close();
  });

  test('Enter that ends a composition does not send, Shift+Enter breaks the line', async () => {
    const { page } = await host.open();
    await composer(page).fill('にほん');
    await composer(page).dispatchEvent('keydown', { key: 'Enter', keyCode: 229, isComposing: true, bubbles: true });
    await composer(page).press('Shift+Enter');
    expect(await calls(page, 'chat.send')).toEqual([]);
    expect(await composer(page).inputValue()).toBe('にほん\n');
    await page.context().close();
  });

  test('the draft is saved as it is typed', async () => {
    const { page } = await host.open();
    await composer(page).pressSequentially('half a thou');
    await expect
      .poll(() => calls(page, 'chats.update'))
      .toContainEqual(expect.objectContaining({ draft: 'half a thou' }));
    await page.context().close();
  });

  test('first start: the button accepts the licence and downloads; the message waits for the model', async () => {
    const { page, problems } = await host.open({ scene: firstStart });
    await page.getByRole('button', { name: /Accept licence and download/ }).click();
    await page.getByRole('progressbar').first().waitFor();
    const download = (await calls(page, 'models.download')) as { acceptLicence: boolean; revision: string }[];
    expect(download[0]).toMatchObject({ acceptLicence: true, revision: '1a2b3c4d5e6f' });
    await ask(page, 'Asked too early');
    await page.getByText('Is sent when the model is ready.', { exact: true }).waitFor();
    expect(await calls(page, 'chat.send')).toEqual([]);
    await page.evaluate("fake.setEngine({ state: 'ready', model: fake.model, running: 0, queued: 0 })");
    await said(page, 'short waves more than long ones.').waitFor();
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('a hub that cannot be reached is said in words, with a way on', async () => {
    const { page } = await host.open({
      scene: (fake) => {
        fake.setInstalled([]);
        fake.setEngine({ state: 'empty', lastError: null });
        fake.fail['models.describe'] = { code: 'OFFLINE', message: 'The hub cannot be reached.', retryable: true };
      },
    });
    await page.getByText('The hub cannot be reached.').waitFor();
    await page.evaluate('fake.fail = {}');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('button', { name: /Accept licence and download/ }).waitFor();
    await page.context().close();
  });

  test('a lost GPU is said on the badge, and what to do is a choice', async () => {
    const { page } = await host.open();
    await page.evaluate(`fake.setEngine({ state: 'lost', request: { source: 'm', device: 'cuda' },
      error: { code: 'DEVICE_LOST', message: 'The GPU was reset by its driver.', retryable: true } })`);
    await page.locator('.badge-lost').waitFor();
    await page.getByRole('button', { name: 'Continue on CPU' }).click();
    expect(await calls(page, 'engine.load')).toContainEqual({ source: 'm', device: 'cpu' });
    await page.context().close();
  });

  test('the palette finds a chat by its letters and opens it', async () => {
    const { page } = await host.open({ scene: conversation });
    await page.locator('.prose').last().waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('rust');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Rust lifetimes', level: 1 }).waitFor();
    await page.context().close();
  });

  test('search shows where it found the words', async () => {
    const { page } = await host.open({ scene: conversation });
    await page.getByLabel('Search chats').fill('forgets on purpose');
    await page.locator('mark', { hasText: 'forgets on purpose' }).waitFor();
    await page.context().close();
  });

  test('a deleted chat can be brought back', async () => {
    const { page } = await host.open({ scene: conversation });
    await page.getByRole('button', { name: 'Actions for “Rust lifetimes”' }).click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('heading', { name: 'Rust lifetimes', level: 1 }).waitFor();
    await page.context().close();
  });

  test('sampling: what differs is marked, out of range is refused in words, one click resets', async () => {
    const { page } = await host.open();
    await page.getByRole('heading', { name: 'Nemotron-Flash-3B-Instruct' }).waitFor();
    await page.keyboard.press('Control+.');
    const field = page.getByRole('textbox', { name: 'Temperature' });
    await field.fill('0.7');
    await page.getByText('1 differs from its default').waitFor();
    await field.fill('9');
    await page.getByText('Allowed: 0 to 2.').waitFor();
    await page.getByRole('button', { name: 'Reset Temperature to 1' }).click();
    await page.getByText('All at their defaults').waitFor();
    await expect
      .poll(() => calls(page, 'chats.update'))
      .toContainEqual(expect.objectContaining({ sampling: expect.objectContaining({ temperature: 1 }) }));
    await page.context().close();
  });

  test('of 2 000 messages and a long answer only what is in sight is in the page, and streaming follows the end', async () => {
    const { page } = await host.open({ scene: endless });
    await page.getByText('Message 1999').waitFor();
    expect(await page.locator('.turn').count()).toBeLessThan(40);
    await page.evaluate(
      "fake.answer = 'A line of the answer.\\n\\n'.repeat(600) + 'THE END'; fake.wordsPerFrame = 120",
    );
    await ask(page, 'More');
    await said(page, 'THE END').waitFor();
    expect(await said(page, 'THE END').isVisible()).toBe(true);
    expect(await page.locator('.prose > p').count()).toBeLessThan(400);
    await page.context().close();
  });

  test.each([
    ['long', endless],
    ['new', undefined],
  ])('coming back to a %s chat while an answer is written shows its end', async (_, scene) => {
    const { page } = await host.open({ scene });
    await page.evaluate("fake.answer = 'A paragraph of words.\\n\\n'.repeat(4000)");
    await ask(page, 'Go on');
    await said(page, 'A paragraph').waitFor();
    await page.keyboard.press('Control+3');
    await page.getByText('Three clocks').waitFor();
    // Longer than the window is high.
    await expect.poll(() => page.evaluate('fake.lastRun().text.length')).toBeGreaterThan(2000);
    await page.keyboard.press('Control+1');
    await page.locator('.prose-streaming').waitFor();
    await page.waitForTimeout(600);
    await page.locator('.turn-answer .strip').last().waitFor();
    await expect
      .poll(() =>
        page.evaluate("[...document.querySelectorAll('.strip')].at(-1).getBoundingClientRect().bottom < innerHeight"),
      )
      .toBe(true);
    await expect.poll(() => page.getByRole('button', { name: 'Jump to the end' }).count()).toBe(0);
    await page.context().close();
  });

  test('says how the start went, and gives diagnostics to copy', async () => {
    const { page, problems } = await host.open({ scene: troubledStart });
    const notice = page.getByText('The file of the chats was damaged.');
    await notice.waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await notice.waitFor({ state: 'detached' });
    await page.keyboard.press('Control+,');
    await page.getByText('safe mode').waitFor();
    await page.getByLabel('Stay in the tray when the window is closed').check();
    expect(await calls(page, 'settings.update')).toContainEqual({
      desktop: { tray: true, softwareRendering: false, spellCheck: false },
    });
    await page.getByLabel('Look for new versions once a day').check();
    await page.getByText('Version 0.2.0 is ready.').waitFor();
    await page.getByRole('button', { name: 'Diagnostics', exact: true }).click();
    const dialog = page.getByRole('dialog', { name: 'Diagnostics' });
    await dialog.getByText('a line of the log').waitFor();
    expect(await violations(page)).toEqual([]);
    await dialog.getByRole('button', { name: 'Copy' }).click();
    expect(await page.evaluate('navigator.clipboard.readText()')).toContain('# Log');
    expect(problems).toEqual([]);
    await page.context().close();
  });

  test('a reader who has scrolled up stays there while an answer is written', async () => {
    const { page } = await host.open({ scene: endless });
    await page.evaluate("fake.answer = 'A paragraph of words.\\n\\n'.repeat(4000)");
    await ask(page, 'Go on');
    await said(page, 'A paragraph').waitFor();
    await page.locator('.messages-scroll').hover();
    await page.mouse.wheel(0, -3000);
    await page.getByRole('button', { name: 'Jump to the end' }).waitFor();
    // Turning the wheel goes on for a few frames; then nothing moves for as many words as come in half a second.
    const moved = (words: number) =>
      page.evaluate<number>(`new Promise((resolve) => {
        const [list, { text }] = [document.querySelector('.messages-scroll'), fake.lastRun()];
        const [top, until] = [list.scrollTop, text.length + 6 * ${words}];
        const look = () => (fake.lastRun().text.length < until ? requestAnimationFrame(look) : resolve(list.scrollTop - top));
        look();
      })`);
    await expect.poll(() => moved(10)).toBe(0);
    expect(await moved(100)).toBe(0);
    await page.context().close();
  });
});
