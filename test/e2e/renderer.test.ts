/** The page alone, in a real Chromium under the shells’ security policy, with a main process made of memory. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { violations } from '../support/accessibility.ts';
import { chromiumPath, needsChromium } from '../support/browser.ts';
import { ask, calls, hostPage, said } from '../support/page.ts';
import type { PageHost } from '../support/page.ts';
import { apiBusy, conversation, firstStart, troubledStart } from './page/scenes.ts';

describe.skipIf(chromiumPath === null)(needsChromium('the page'), () => {
  let host: PageHost;
  beforeAll(async () => {
    host = await hostPage();
  });
  afterAll(() => host.close());

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
    await page.getByRole('button', { name: 'API', exact: true }).click();
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

  test('an answer that the engine could not end goes on after its text, or is given again', async () => {
    const { page } = await host.open({ scene: conversation });
    const failure = page.getByRole('alert').filter({ hasText: 'The GPU was reset' });
    await failure.getByRole('button', { name: 'Try again' }).waitFor();
    await failure.getByRole('button', { name: 'Continue' }).click();
    await expect.poll(() => calls(page, 'chat.continue')).toMatchObject([{ chatId: 'c-long' }]);
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

  test('search shows where it found the words, and leads there, also into another version', async () => {
    const { page } = await host.open({ scene: conversation });
    await page.getByLabel('Search chats').fill('forgets on purpose');
    await page.locator('mark', { hasText: 'forgets on purpose' }).waitFor();
    await page.getByLabel('Search chats').fill('An older');
    await page.locator('mark', { hasText: 'An older' }).click();
    await said(page, 'An older version.').waitFor();
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
});
