/**
 * How long a start of the web shell takes while a model loads behind it: first paint and message field usable, since
 * the process began, by the app's own marks. The browser is open before. After `npm run native` and `npm run build`:
 * node test/e2e/startTime.ts [model] [starts]
 */
import { once } from 'node:events';
import process from 'node:process';

import type { Startup, StartupMark } from '../../main/contract/metrics.ts';
import { median } from '../../main/metrics/statistics.ts';
import { openBrowser } from '../support/browser.ts';
import { freshFolder, removeFolder } from '../support/home.ts';
import { startWebProcess } from '../support/webShell.ts';

const model = process.argv[2] ?? 'synthetic:nemotron-flash-3b';
const starts = Number(process.argv[3] ?? 5);

async function startOnce(home: string): Promise<Startup['marksMs']> {
  const browser = await openBrowser();
  const { page } = await browser.newPage();
  const running = await startWebProcess({ home, args: ['--model', model] });
  try {
    await page.goto(running.link);
    await page.waitForURL(`${running.url}/`);
    await page.getByRole('textbox', { name: 'Message' }).fill('typed while the model loads');
    await page.waitForTimeout(300);
    const ask = `new Promise((resolve) => {
      const socket = new WebSocket(location.origin.replace('http', 'ws') + '/bridge');
      socket.onopen = () => socket.send('{"id":1,"route":"metrics.startups","input":{"limit":1}}');
      socket.onmessage = ({ data }) => {
        const reply = JSON.parse(data);
        if ('envelope' in reply) resolve(reply.envelope.value[0].marksMs);
      };
    })`;
    return await page.evaluate<Startup['marksMs']>(ask);
  } finally {
    await browser.close();
    const ended = once(running.child, 'exit');
    running.child.kill('SIGTERM');
    await ended; // it keeps what it compiled when it ends
  }
}

const home = freshFolder('start');
const marks: Startup['marksMs'][] = [];
// The first one makes the database.
for (let start = 0; start <= starts; start += 1) marks.push(await startOnce(home));
removeFolder(home);
const names: readonly StartupMark[] = ['services', 'shell', 'modelBegin', 'pageBegin', 'firstPaint', 'composer'];
const medians = names.map((name) => [name, Math.round(median(marks.slice(1).map((each) => each[name] ?? Infinity)))]);
process.stdout.write(`${JSON.stringify({ model, starts, mediansMs: Object.fromEntries(medians), marks }, null, 2)}\n`);
