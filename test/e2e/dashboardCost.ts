/**
 * What the open latency page costs: share of a core that the page's main thread is busy during an answer at 200 tokens/s,
 * with the dashboard open, less the same with the settings open instead, in turns. Prints one JSON object; exits with 1
 * when the median of the differences is over 2 %. node test/e2e/dashboardCost.ts [seconds] [rounds]
 */
import os from 'node:os';
import process from 'node:process';

import type { Page } from 'playwright-core';

import { median } from '../../main/metrics/statistics.ts';
import { hostPage } from '../support/page.ts';

const seconds = Number(process.argv[2] ?? 5);
const rounds = Number(process.argv[3] ?? 5);
const mostPercent = 2;
/** The fake sends a frame every 16 ms; 3.2 tokens in it are 200 a second. */
const tokensPerFrame = 16 / 5;

interface Metrics {
  readonly metrics: readonly { readonly name: string; readonly value: number }[];
}

interface Busy {
  readonly busyPercent: number;
  readonly scriptPercent: number;
}

/** Share of one core that the page's main thread is busy over the next seconds. */
async function busy(page: Page): Promise<Busy> {
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
      fake.emit('chat.tokens', { ...run, text: 'word '.repeat(timings.length) + (stampNs % 1e9 < 2e7 ? '\\n\\n' : ''), timings,
        sentAt: performance.timeOrigin + performance.now() });
    }, 16);
  })()`);
  await page.getByLabel('Message', { exact: true }).fill('Go on');
  await page.keyboard.press('Enter');
  await page.waitForFunction('fake.lastRun() !== null');
  await page.evaluate('window.timer = feed()');
  const show = (name: string) => page.getByRole('button', { name, exact: true }).click();
  const elsewhere: Busy[] = [];
  const dashboard: Busy[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await show('Settings');
    await page.waitForTimeout(500);
    elsewhere.push(await busy(page));
    await show('Latency');
    await page.getByRole('img', { name: /gaps between tokens/ }).waitFor();
    await page.waitForTimeout(500);
    dashboard.push(await busy(page));
  }
  const costs = dashboard.map(({ busyPercent }, round) => busyPercent - (elsewhere[round]?.busyPercent ?? 0));
  const costPercent = Number(median(costs).toFixed(2));
  const machine = `${os.cpus()[0]?.model ?? 'unknown'}, ${os.availableParallelism()} threads`;
  process.stdout.write(
    `${JSON.stringify({ machine, seconds, resting, elsewhere, dashboard, costPercent }, null, 2)}\n`,
  );
  process.exitCode = costPercent <= mostPercent ? 0 : 1;
} finally {
  await host.close();
}
