/**
 * What the open latency page costs: processor time of the page's process per second of an answer at 200 tokens/s, with
 * the dashboard open, with the chat open instead, and of a page at rest. Prints one JSON object.
 * node test/e2e/dashboardCost.ts [seconds]
 */
import process from 'node:process';

import type { Page } from 'playwright-core';

import { hostPage } from '../support/page.ts';

const seconds = Number(process.argv[2] ?? 8);
/** The fake sends a frame every 16 ms; 3.2 tokens in it are 200 a second. */
const tokensPerFrame = 16 / 5;

interface Metrics {
  readonly metrics: readonly { readonly name: string; readonly value: number }[];
}

/** Share of one core that the page's main thread is busy over the next seconds. */
async function busy(page: Page): Promise<{ readonly busyPercent: number; readonly scriptPercent: number }> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const read = async () => {
    const { metrics } = (await session.send('Performance.getMetrics')) as Metrics;
    const of = (name: string): number => metrics.find((metric) => metric.name === name)?.value ?? 0;
    return { task: of('TaskDuration'), script: of('ScriptDuration'), at: performance.now() };
  };
  const before = await read();
  await page.waitForTimeout(1000 * seconds);
  const after = await read();
  const spent = (from: number, to: number): number =>
    Math.round((1e5 * 1000 * (to - from)) / (after.at - before.at)) / 1000;
  return { busyPercent: spent(before.task, after.task), scriptPercent: spent(before.script, after.script) };
}

const host = await hostPage();
try {
  const { page } = await host.open();
  const resting = await busy(page);
  // 200 tokens/s in frames of 16 ms, without the text that would grow a chat.
  await page.evaluate(`(() => {
    const perFrame = ${tokensPerFrame};
    let stampNs = 0, owed = 0;
    fake.answer = 'word';
    fake.hold = true;
    window.feed = () => setInterval(() => {
      const run = fake.lastRun();
      owed += perFrame;
      const timings = Array.from({ length: Math.floor(owed) }, () => {
        stampNs += 5e6 + 1e5 * Math.random();
        return { stampNs, forwardNs: 4.9e6, sampleNs: 5e4 };
      });
      owed -= timings.length;
      fake.emit('chat.tokens', { ...run, text: 'word '.repeat(timings.length), timings,
        sentAt: performance.timeOrigin + performance.now() });
    }, 16);
  })()`);
  await page.getByLabel('Message', { exact: true }).fill('Go on');
  await page.keyboard.press('Enter');
  await page.waitForFunction('fake.lastRun() !== null');
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  await page.evaluate('window.timer = feed()');
  const elsewhere = await busy(page);
  await page.getByRole('button', { name: 'Latency', exact: true }).click();
  await page.getByRole('img', { name: /gaps between tokens/ }).waitFor();
  const dashboard = await busy(page);
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  const elsewhereAgain = await busy(page);
  const baseline = (elsewhere.busyPercent + elsewhereAgain.busyPercent) / 2;
  const costPercent = Math.round(1000 * (dashboard.busyPercent - baseline)) / 1000;
  process.stdout.write(
    `${JSON.stringify({ seconds, resting, elsewhere, dashboard, elsewhereAgain, costPercent }, null, 2)}\n`,
  );
} finally {
  await host.close();
}
