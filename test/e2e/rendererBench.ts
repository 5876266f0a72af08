/**
 * `npm run bench:renderer [SECONDS]`: the page in a real Chromium, in a chat of 2 000 messages, while an answer of 1 000
 * tokens a second is written. Prints one JSON object: long tasks, times between frames, and the heap after a collection
 * before, between and after answers. Exits with 1 when a task took more than 50 ms or p95 of the frames is over 20 ms.
 */
import os from 'node:os';
import process from 'node:process';

import type { CDPSession, Page } from 'playwright-core';

import { hostPage } from '../support/page.ts';
import type { Fake } from './page/fakeBridge.ts';
import { endless } from './page/scenes.ts';

const tokensPerSecond = 1000;
const answers = 3;
const maxTaskMs = 50;
const maxFrameP95Ms = 20;

/** What the page measured during one answer. */
interface Measured {
  readonly tokens: number;
  readonly longTasksMs: readonly number[];
  readonly frameGapsMs: readonly number[];
}

/** In the page: an answer of everything that models write, token by token, at the rate of a fast GPU. */
function writeAnswer({ seconds, rate }: { seconds: number; rate: number }): Promise<Measured> {
  const { fake, requestAnimationFrame } = globalThis as unknown as {
    fake: Fake;
    requestAnimationFrame(frame: (now: number) => void): void;
  };
  const paragraph = 'A state of constant size is read and written once per token, whatever came before it. ';
  const section = [
    '## How it works\n\n',
    paragraph.repeat(4),
    '\n\n- a list with **bold** words\n- and `code` in it\n\n',
    '```python\ndef step(h, x, a, B, C):\n    h = a * h + np.outer(B, x)\n    return h, C @ h\n```\n\n',
    '| | attention | Mamba2 |\n|---|--:|--:|\n| memory | grows | constant |\n\n',
    '$$\nh_t = a_t h_{t-1} + B_t x_t\n$$\n\n',
  ].join('');
  const tokens = section.match(/\s?\S{1,5}|\s/g) ?? [];
  const run = fake.lastRun();
  if (run === null) throw new Error('no answer is being written');
  const { generationId, chatId, messageId } = run;
  const longTasksMs: number[] = [];
  const frameGapsMs: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) longTasksMs.push(Math.round(entry.duration));
  });
  observer.observe({ type: 'longtask' as 'mark' });
  const startedAt = performance.now();
  let lastFrame = startedAt;
  let written = 0;
  let isOver = false;
  const frame = (now: number): void => {
    frameGapsMs.push(now - lastFrame);
    lastFrame = now;
    if (!isOver) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  return new Promise((resolve) => {
    const tick = (): void => {
      const now = performance.now();
      const due = Math.min(seconds * rate, Math.floor(((now - startedAt) / 1000) * rate));
      let text = '';
      const timings = [];
      for (; written < due; written += 1) {
        text += tokens[written % tokens.length] ?? '';
        timings.push({ stampNs: written * 1e6, forwardNs: 9e5, sampleNs: 2e4 });
      }
      if (text !== '') {
        const sentAt = performance.timeOrigin + now;
        fake.emit('chat.tokens', { generationId, chatId, messageId, text, timings, sentAt });
        run.text += text;
      }
      if (due < seconds * rate) {
        setTimeout(tick, 16);
        return;
      }
      isOver = true;
      fake.release();
      // The last tasks are reported a little later.
      setTimeout(() => {
        observer.disconnect();
        resolve({ tokens: written, longTasksMs, frameGapsMs: frameGapsMs.slice(1) });
      }, 500);
    };
    tick();
  });
}

async function heapBytes(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage');
  const { metrics } = await session.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? 0;
}

async function startAnswer(page: Page): Promise<void> {
  await page.evaluate("fake.hold = true; fake.answer = ''");
  await page.getByLabel('Message', { exact: true }).fill('More');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Stop', exact: true }).waitFor();
  await page.waitForTimeout(300);
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(1));
}

const seconds = Number(process.argv[2] ?? 10);
const host = await hostPage();
try {
  const { page, problems } = await host.open({ scene: endless });
  await page.getByText('Message 1999').waitFor();
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const heap = [await heapBytes(session)];
  const all: Measured[] = [];
  for (let index = 0; index < answers; index += 1) {
    await startAnswer(page);
    all.push(await page.evaluate(writeAnswer, { seconds, rate: tokensPerSecond }));
    await page.getByRole('button', { name: /TTFT/ }).last().waitFor();
    heap.push(await heapBytes(session));
  }
  const gaps = all.flatMap(({ frameGapsMs }) => frameGapsMs);
  const longTasksMs = all.flatMap((measured) => measured.longTasksMs);
  const tokens = all.reduce((sum, measured) => sum + measured.tokens, 0);
  const report = {
    machine: `${os.cpus()[0]?.model ?? 'unknown'}, ${os.availableParallelism()} threads`,
    messages: 2000,
    tokensPerSecond,
    answers,
    tokens,
    longTasks: { count: longTasksMs.length, maxMs: Math.max(0, ...longTasksMs) },
    framesMs: {
      count: gaps.length,
      p50: percentile(gaps, 0.5),
      p95: percentile(gaps, 0.95),
      p99: percentile(gaps, 0.99),
    },
    heapMb: heap.map((size) => Number((size / 1e6).toFixed(1))),
    heapBytesPerToken: Math.round(((heap.at(-1) ?? 0) - (heap[0] ?? 0)) / tokens),
    problems,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  const isGood = report.longTasks.maxMs <= maxTaskMs && report.framesMs.p95 <= maxFrameP95Ms && problems.length === 0;
  process.exitCode = isGood ? 0 : 1;
} finally {
  await host.close();
}
