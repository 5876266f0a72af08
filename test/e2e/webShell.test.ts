/** The web shell: the same page, for those who hold its link. */
import { request } from 'node:http';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openBrowser } from '../support/browser.ts';
import type { TestBrowser } from '../support/browser.ts';
import { freshFolder, removeFolder, testHome } from '../support/home.ts';
import { startWebProcess, webShell } from '../support/webShell.ts';
import type { WebProcess } from '../support/webShell.ts';
import { apiScenario } from './scenarios/api.ts';
import { chatScenarios } from './scenarios/chat.ts';
import { firstStartScenario } from './scenarios/firstStart.ts';
import { latencyScenarios } from './scenarios/latency.ts';
import { securityScenarios } from './scenarios/security.ts';

securityScenarios(webShell);
chatScenarios(webShell);
firstStartScenario(webShell);
latencyScenarios(webShell);
apiScenario(webShell);

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** Not fetch: it would not let us name a false Host. */
function ask(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers }, async (response) => {
      let text = '';
      for await (const part of response) text += String(part);
      resolve({ status: response.statusCode, headers: response.headers, text });
    });
    sent.once('error', reject).end();
  });
}

describe('web shell: its door', () => {
  const home = freshFolder();
  let running: WebProcess;
  beforeAll(async () => {
    running = await startWebProcess({ home });
  });
  afterAll(async () => {
    await running?.stop();
    removeFolder(home);
  });

  it('shows nothing without a session, not even the page', async () => {
    for (const path of ['/', '/index.html', '/?token=', '/?token=guess', '/assets/x.js']) {
      const { status, text } = await ask(running.url + path);
      expect(status, path).toBe(403);
      expect(text).toContain('Open the link that Nemoflash printed');
    }
  });

  it('is called by the names of this machine only', async () => {
    const { port } = new URL(running.url);
    for (const host of ['evil.example', `evil.example:${port}`, 'localhost', `127.0.0.1.evil.example:${port}`]) {
      expect((await ask(running.link, { host })).status, host).toBe(403);
    }
  });

  it('lets one browser in by its link, once, and sends the headers that guard the page', async () => {
    const entry = await ask(running.link);
    expect(entry.status).toBe(200);
    const cookie = String(entry.headers['set-cookie']);
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
    expect((await ask(running.link)).status).toBe(403);

    const page = await ask(`${running.url}/`, { cookie: cookie.split(';')[0] ?? '' });
    expect(page.status).toBe(200);
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self';/);
    expect(page.headers['content-security-policy']).not.toMatch(/unsafe|\*/);
    expect(page.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'content-type': 'text/html; charset=utf-8',
    });
    for (const path of ['/../package.json', '/%2e%2e/%2e%2e/package.json', '/..%2f..%2fpackage.json', '/nothing.js']) {
      expect((await ask(running.url + path, { cookie: cookie.split(';')[0] ?? '' })).status, path).toBe(404);
    }
  });

  it('serves the API beside the page, to those who hold the key', async () => {
    const wrong = await ask(`${running.url}/v1/models`, { authorization: 'Bearer guess' });
    expect(wrong.status).toBe(401);
    const right = await ask(`${running.url}/v1/models`, { authorization: `Bearer ${running.apiKey}` });
    expect(right.status).toBe(200);
  });
});

describe('web shell: its process', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('ends in order at %s, with an open tab', async (signal) => {
    const running = await startWebProcess({ home: testHome() });
    const exited = new Promise((resolve) => running.child.once('exit', resolve));
    running.child.kill(signal);
    expect(await exited).toBe(0);
    await expect(ask(running.url)).rejects.toThrow('ECONNREFUSED');
  });

  it('says in a sentence that its port is taken', async () => {
    const first = await startWebProcess({ home: testHome() });
    const { port } = new URL(first.url);
    await expect(startWebProcess({ home: testHome(), args: ['--port', port] })).rejects.toThrow(
      new RegExp(`ended with 1:\\s+Port ${port} is taken by another program`),
    );
    await first.stop();
  });
});

describe.skipIf(webShell.skipped)(`${webShell.title}: tabs`, () => {
  let browser: TestBrowser;
  let running: WebProcess;
  const home = freshFolder();
  beforeAll(async () => {
    running = await startWebProcess({ home });
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await running?.stop();
    removeFolder(home);
  });

  it('tells a second tab of the same browser what the first one changed, and keeps a stranger out', async () => {
    const { page: first } = await browser.newPage();
    await first.goto(running.link);
    await first.waitForURL(`${running.url}/`);
    const second = await first.context().newPage();
    await second.goto(running.url);
    await second.evaluate(`window.seen = new Promise((resolve, reject) => {
      const socket = new WebSocket(location.origin.replace('http', 'ws') + '/bridge');
      socket.onopen = () => (document.title = 'listening');
      socket.onmessage = ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.event === 'settings.changed') resolve(frame);
      };
      socket.onerror = () => reject(new Error('refused'));
    }), undefined`);
    await expect.poll(() => second.title()).toBe('listening');
    await first.evaluate(`new Promise((resolve) => {
      const socket = new WebSocket(location.origin.replace('http', 'ws') + '/bridge');
      const frame = { id: 1, route: 'settings.update', input: { theme: 'dark' } };
      socket.onopen = () => socket.send(JSON.stringify(frame));
      socket.onmessage = resolve;
    }).then(() => undefined)`);
    expect(await second.evaluate('window.seen')).toMatchObject({
      event: 'settings.changed',
      payload: { theme: 'dark' },
    });

    const { page: stranger } = await browser.newPage();
    await stranger.goto(running.url);
    expect(await stranger.textContent('body')).toContain('This browser has no access yet');
  });
});
