/** The API page over the real engine: a program that takes address and key from the page gets an answer. */

import { describe, expect, it, onTestFinished } from 'vitest';

import { freePort } from '../../support/freePort.ts';
import { testHome } from '../../support/home.ts';
import type { ShellKind } from '../../support/shells.ts';

export function apiScenario(kind: ShellKind): void {
  describe.skipIf(kind.skipped)(`${kind.title}: the API page`, () => {
    it('serves what its own snippet asks for, and shows the request', async () => {
      const shell = await kind.start({ home: testHome(), args: ['--model', 'synthetic:tiny'] });
      onTestFinished(() => shell.close());
      const { page } = shell;
      await page.getByRole('button', { name: /^Model: synthetic:tiny/ }).waitFor();
      await page.getByRole('button', { name: 'API', exact: true }).click();
      const toggle = page.getByRole('switch');
      // A browser's page is served beside the API, which is then on by itself.
      if (kind.ownsWindow) {
        await page.getByLabel('Port').fill(String(await freePort()));
        await page.keyboard.press('Enter');
        await toggle.click();
      } else expect(await toggle.count()).toBe(0);
      const address = await page.getByText(/^http:\/\/127\.0\.0\.1:\d+\/v1$/).innerText();
      const { value } = (await shell.ask('api.key', {})) as { value: { key: string } };

      const body = { messages: [{ role: 'user', content: 'Where is New York?' }], max_tokens: 12, ignore_eos: true };
      const response = await fetch(`${address}/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${value.key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      expect(await response.json()).toMatchObject({ usage: { completion_tokens: 12 } });
      await page.getByRole('row', { name: /\/chat\/completions Answered \d+ 12/ }).waitFor();
      if (kind.ownsWindow) {
        await toggle.click();
        await page.getByText('Off', { exact: true }).waitFor();
        await expect(fetch(`${address}/models`)).rejects.toThrow();
      }
      expect(shell.problems).toEqual([]);
    });
  });
}
