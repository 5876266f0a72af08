/** A conversation in a real Chromium under the shells’ security policy, with a main process made of memory. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { chromiumPath, needsChromium } from '../support/browser.ts';
import { ask, calls, composer, hostPage, said } from '../support/page.ts';
import type { PageHost } from '../support/page.ts';
import { cutAndInspected, endless } from './page/scenes.ts';

describe.skipIf(chromiumPath === null)(needsChromium('the conversation'), () => {
  let host: PageHost;
  beforeAll(async () => {
    host = await hostPage();
  });
  afterAll(() => host.close());

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

  test('sent twice and stopped at once, before main has replied: one message, and its answer is stopped', async () => {
    const { page } = await host.open();
    await page.evaluate(`(() => {
      fake.answer = 'word '.repeat(5000);
      const { request } = bridge;
      bridge.request = async (route, input) => {
        if (route === 'chat.send') await new Promise((resolve) => (fake.reply = resolve));
        return request(route, input);
      };
    })()`);
    await ask(page, 'First');
    await ask(page, 'Second');
    await page.keyboard.press('Escape');
    await page.evaluate('fake.reply()');
    await page.getByText('Stopped by you.').waitFor();
    expect(await calls(page, 'chat.send')).toEqual([expect.objectContaining({ content: 'First' })]);
    expect(await composer(page).inputValue()).toBe('Second');
    await page.context().close();
  });

  test('what another window asks in the same chat is shown here, too', async () => {
    const { page } = await host.open();
    await ask(page, 'Asked here');
    await page.getByRole('button', { name: /TTFT/ }).waitFor();
    await composer(page).fill('half a thought');
    await page.evaluate(`(async () => {
      fake.answer = 'Said in the other window.';
      const { chatId, messageId } = fake.lastRun();
      await bridge.request('chat.send', { chatId, parentId: messageId, content: 'Asked elsewhere' });
    })()`);
    await said(page, 'Said in the other window.').waitFor();
    await page.getByText('Asked elsewhere', { exact: true }).waitFor();
    expect(await composer(page).inputValue()).toBe('half a thought');
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

  test('a pasted book leaves the end in sight, is folded once sent, and copied whole', async () => {
    const { page } = await host.open({ scene: endless });
    await page.getByText('Message 1999').waitFor();
    const book = 'A line of a very long book.\n'.repeat(8000);
    await page.evaluate(`navigator.clipboard.writeText(${JSON.stringify(book)})`);
    await composer(page).press('Control+v');
    const endInSight = `[...document.querySelectorAll('.strip')].at(-1).getBoundingClientRect().bottom <
      document.querySelector('.composer').getBoundingClientRect().top`;
    await expect.poll(async () => (await composer(page).inputValue()).length).toBe(book.length);
    await expect.poll(() => page.evaluate(endInSight)).toBe(true);
    await composer(page).press('Enter');
    const asked = page.locator('.turn-user').last();
    await asked.getByRole('button', { name: 'Show all 224 000 characters' }).waitFor();
    expect((await asked.innerText()).length).toBeLessThan(2000);
    await asked.getByRole('button', { name: 'Copy text' }).click();
    await page.getByRole('button', { name: 'Stop', exact: true }).waitFor({ state: 'detached' });
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(book);
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
