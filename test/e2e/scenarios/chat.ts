/** A chat in every shell, with the real engine and made-up weights: an answer streams, is stopped, is given again. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';

import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { defaultSampling } from '../../../main/contract/domain.ts';
import type { SamplingOptions } from '../../../main/contract/domain.ts';
import { freshFolder, removeFolder } from '../../support/home.ts';
import type { Shell, ShellKind } from '../../support/shells.ts';

/** A reward for what was said already makes it go round in circles: it does not end by itself. */
const endless: SamplingOptions = { ...defaultSampling, temperature: 0, frequencyPenalty: -2, maxNewTokens: 32_768 };
const short: SamplingOptions = { ...endless, maxNewTokens: 40 };

export function chatScenarios(kind: ShellKind): void {
  describe.skipIf(kind.skipped)(`${kind.title}: chat`, () => {
    const home = freshFolder();
    let shell: Shell;
    let message: Locator;
    let answers: Locator;
    const button = (name: string) => shell.page.getByRole('button', { name, exact: true });
    const send = async (text: string) => {
      await message.fill(text);
      await button('Send').click();
    };

    beforeAll(async () => {
      const settings = { contextPositions: 65_536, sampling: short };
      writeFileSync(path.join(home, 'settings.json'), JSON.stringify(settings));
      shell = await kind.start({ home, args: ['--model', 'synthetic:tiny'] });
      message = shell.page.getByRole('textbox', { name: 'Message' });
      // A long answer is several rows; its end is in the last.
      answers = shell.page.getByRole('article', { name: 'Model' }).last();
      await shell.page.getByRole('button', { name: /^Model: synthetic:tiny/ }).waitFor();
    });
    afterAll(async () => {
      await shell?.close();
      removeFolder(home);
    });

    it('answers, and shows what was measured', async () => {
      await send('Where is New York?');
      await answers.getByRole('button', { name: /TTFT .*tok\/s.* 40 tokens/ }).waitFor();
      expect((await answers.innerText()).length).toBeGreaterThan(40);
      expect(await shell.page.getByRole('article', { name: 'You' }).innerText()).toContain('Where is New York?');
    });

    it('gives the answer again as another version', async () => {
      await answers.hover();
      await button('Answer again').click();
      await shell.page.getByText('2/2').waitFor();
      await answers.getByRole('button', { name: / 40 tokens/ }).waitFor();
      await button('Previous version').click();
      await shell.page.getByText('1/2').waitFor();
    });

    it('streams, stops when it is told to, and keeps what was said', async () => {
      await shell.ask('settings.update', { sampling: endless });
      await button('New chat').first().click();
      await shell.page.getByRole('list', { name: 'Examples' }).waitFor();
      await send('Go on and on');
      await button('Stop').waitFor();
      await expect.poll(async () => (await answers.innerText()).length).toBeGreaterThan(200);
      await button('Stop').click();
      await button('Send').waitFor();
      const stopped = await answers.innerText();
      expect(stopped).toContain('Stopped by you.');
      expect(await shell.ask('engine.status', {})).toMatchObject({ value: { state: 'ready', running: 0 } });
    });

    it('has put nothing on the console', () => {
      expect(shell.problems).toEqual([]);
    });
  });
}
