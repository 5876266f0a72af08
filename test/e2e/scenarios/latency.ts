/** The latency page of a running app against the engine's own stamps: the same numbers, not similar ones. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { defaultSampling } from '../../../main/contract/domain.ts';
import type { Chat, ChatSummary, TokenTiming } from '../../../main/contract/domain.ts';
import type { AnswerRecord, Startup } from '../../../main/contract/metrics.ts';
import { interTokenNs, percentiles } from '../../../main/engine/stats.ts';
import { durationText } from '../../../renderer/format.ts';
import { freshFolder, removeFolder } from '../../support/home.ts';
import type { Shell, ShellKind } from '../../support/shells.ts';

const outputTokens = 60;

export function latencyScenarios(kind: ShellKind): void {
  describe.skipIf(kind.skipped)(`${kind.title}: latency`, () => {
    const home = freshFolder();
    let shell: Shell;
    let messageId: string;
    let gaps: readonly number[];

    async function ask<T>(route: string, input: unknown): Promise<T> {
      return ((await shell.ask(route, input)) as { value: T }).value;
    }
    const cells = async (row: string): Promise<string[]> =>
      (await shell.page.getByRole('row', { name: row }).getByRole('cell').allInnerTexts()).map((text) => text.trim());

    beforeAll(async () => {
      const sampling = { ...defaultSampling, temperature: 0, frequencyPenalty: -2, maxNewTokens: outputTokens };
      writeFileSync(path.join(home, 'settings.json'), JSON.stringify({ sampling }));
      shell = await kind.start({ home, args: ['--model', 'synthetic:tiny'] });
      const { page } = shell;
      await page.getByRole('button', { name: /^Model: synthetic:tiny/ }).waitFor();
      await page.getByRole('textbox', { name: 'Message' }).fill('Where is New York?');
      await page.getByRole('button', { name: 'Send', exact: true }).click();
      await page.getByRole('button', { name: new RegExp(`TTFT .* ${outputTokens} tokens`) }).click();
      const [chat] = await ask<readonly ChatSummary[]>('chats.list', {});
      const { leafId } = await ask<Chat>('chats.get', { chatId: chat!.id });
      messageId = leafId!;
      gaps = interTokenNs(await ask<readonly TokenTiming[]>('chat.timings', { messageId }));
    });
    afterAll(async () => {
      await shell?.close();
      removeFolder(home);
    });

    it('shows the percentiles of the stamps, exactly', async () => {
      expect(gaps).toHaveLength(outputTokens - 1);
      const { p50, p95, p99, max } = percentiles(gaps)!;
      await shell.page.getByText('IPC, per frame').waitFor();
      expect(await cells('Engine (ITL)')).toEqual([p50, p95, p99, max].map(durationText));
      const big = shell.page.getByRole('region', { name: 'ITL p99' });
      // The number and its unit stand in elements of their own.
      expect((await big.innerText()).replace(/\s+/g, '')).toContain(durationText(p99).replace(/\s+/g, ''));
    });

    it('lists the longest gaps, and shows where the time of one went', async () => {
      const entries = shell.page.getByRole('button', { name: /^Token \d+: / });
      const longest = gaps
        .map((ns, index) => ({ ns, token: index + 2 }))
        .sort((a, b) => b.ns - a.ns || a.token - b.token)
        .slice(0, 10);
      // Each is a dot on the strip and an entry of the list.
      await expect.poll(() => entries.count()).toBe(20);
      const list = shell.page.locator('.worst-entry');
      expect((await list.allInnerTexts()).map((text) => text.replace(' •', ''))).toEqual(
        longest.map(({ ns, token }) => `Token ${token}: ${durationText(ns)}`),
      );
      await list.first().click();
      const record = await ask<AnswerRecord>('metrics.answer', { messageId });
      const detail = await shell.page.locator('.worst-detail').innerText();
      expect(detail).toContain(durationText(record.worst[0]!.forwardNs));
    });

    it('shows the class times as the engine stamped them', async () => {
      const { anatomy } = await ask<AnswerRecord>('metrics.answer', { messageId });
      const shown = await cells('FFN');
      expect(shown[0]).toBe(durationText(anatomy!.medianNs[4]!));
      expect(shown[2]).toBe(durationText(anatomy!.worstNs[4]!));
    });

    it('exports every gap to the nanosecond', async () => {
      const download = shell.page.waitForEvent('download');
      await shell.page.getByRole('button', { name: 'JSON', exact: true }).click();
      const exported = JSON.parse(readFileSync(await (await download).path(), 'utf8')) as { itlNs: number[] };
      expect(exported.itlNs).toEqual(gaps);
    });

    it('keeps what the page saw as series of their own', async () => {
      const record = await ask<AnswerRecord>('metrics.answer', { messageId });
      expect(record.ipcNs!.max).toBeGreaterThan(0);
      expect(record.paintNs!.max).toBeGreaterThan(0);
      expect(record.detokeniseNs).toBeGreaterThan(0);
      expect(record.stats.itlNs).toEqual(percentiles(gaps));
    });

    it('keeps the marks of the start, in the order in which they happen', async () => {
      const [{ marksMs }] = (await ask<readonly Startup[]>('metrics.startups', { limit: 1 })) as [Startup];
      const { process, services, pageBegin, firstPaint, composer, modelBegin, modelReady } = marksMs;
      expect(process).toBe(0);
      expect(services).toBeGreaterThan(0);
      // The page may be asked for before the services behind it are there.
      expect(pageBegin).toBeGreaterThan(0);
      expect(firstPaint).toBeGreaterThan(pageBegin!);
      // The field is usable when React is done, which may be a moment before its frame is on the screen.
      expect(composer).toBeGreaterThan(pageBegin!);
      expect(modelReady).toBeGreaterThan(modelBegin!);
      await shell.page.getByRole('tab', { name: 'Start-up' }).click();
      const row = shell.page.getByRole('listitem').filter({ hasText: 'Message field usable' });
      expect(await row.innerText()).toContain(durationText(1e6 * composer!));
    });

    it('counts the answer in the totals and in the list', async () => {
      await shell.page.getByRole('tab', { name: 'History' }).click();
      await shell.page.getByText('Since the app began').waitFor();
      expect((await cells('Engine (ITL)')).at(-1)).toBe(String(gaps.length));
      await shell.page.getByRole('button', { name: /^Show the answer of/ }).click();
      await shell.page.getByRole('heading', { name: /^Answer of/ }).waitFor();
      expect(shell.problems).toEqual([]);
    });
  });
}
