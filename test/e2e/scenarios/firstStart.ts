/** The main job: no model, one button, a download from the hub, an answer. The hub is a real server on loopback. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { catalog } from '../../../main/contract/domain.ts';
import { removeFolder } from '../../support/home.ts';
import { startHub } from '../../support/hub.ts';
import type { HubServer } from '../../support/hub.ts';
import type { Shell, ShellKind } from '../../support/shells.ts';
import { writeTinyCheckpoint } from '../../support/tinyCheckpoint.ts';

const repo = catalog[0]?.repo ?? '';

export function firstStartScenario(kind: ShellKind): void {
  describe.skipIf(kind.skipped)(`${kind.title}: first start`, () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'nemoflash-first-'));
    const inFolder = (name: string) => path.join(folder, name);
    let hub: HubServer;
    let shell: Shell;

    beforeAll(async () => {
      writeTinyCheckpoint(inFolder('checkpoint'));
      hub = await startHub({ repos: { [repo]: inFolder('checkpoint') } });
      // Not what this machine may have in the cache of other programs.
      const env = { HF_ENDPOINT: hub.url, HF_HUB_CACHE: inFolder('hf-cache') };
      shell = await kind.start({ home: inFolder('home'), env });
    });
    afterAll(async () => {
      await shell?.close();
      await hub?.close();
      removeFolder(folder);
    });

    it('downloads a tiny checkpoint by a click on the button and ends in a streamed answer', async () => {
      const { page } = shell;
      const card = page.getByRole('region', { name: 'Nemotron-Flash-3B-Instruct' });
      await card.getByText('test-licence').first().waitFor();
      expect(await card.innerText()).toMatch(/about \d.*tok\/s/);
      expect(hub.sentBytes('model.safetensors')).toBe(0);
      await card.getByRole('button', { name: /^Accept licence and download/ }).click();

      await page.getByRole('button', { name: /^Model: 3B-Instruct/ }).waitFor();
      expect(hub.sentBytes('model.safetensors')).toBeGreaterThan(0);
      await page.getByRole('textbox', { name: 'Message' }).fill('Where is New York?');
      await page.getByRole('button', { name: 'Send', exact: true }).click();
      // A long answer is several rows; its end is in the last.
      const answer = page.getByRole('article', { name: 'Model' }).last();
      await answer.getByRole('button', { name: /TTFT .* tokens/ }).waitFor();
      expect(await answer.innerText()).not.toBe('');
      const installed = await shell.ask('models.list', {});
      const snapshot = inFolder(`home/models/models--${repo.replace('/', '--')}/snapshots/${hub.commit(repo)}`);
      expect(installed).toMatchObject({ value: [{ repo, origin: 'downloaded', folder: snapshot }] });
      expect(shell.problems).toEqual([]);
    });
  });
}
