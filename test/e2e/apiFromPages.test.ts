/** What web pages in a real browser can do to the API: nothing, but for pages of an origin that was allowed by name. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { Api } from '../../main/server/api.ts';
import { ApiServer } from '../../main/server/apiServer.ts';
import { chromiumPath, needsChromium, openBrowser } from '../support/browser.ts';
import type { TestBrowser } from '../support/browser.ts';
import { scriptedEngine } from '../support/scriptedEngine.ts';

const key = 'nf-page-key';
const rebound = 'rebound.test';

/** A site of its own: any path is the same empty page. */
async function startSite(): Promise<{ readonly server: Server; readonly origin: string }> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>A page</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe.skipIf(chromiumPath === null)(needsChromium('the API and web pages'), () => {
  const engine = scriptedEngine();
  let browser: TestBrowser;
  let stranger: Awaited<ReturnType<typeof startSite>>;
  let friend: Awaited<ReturnType<typeof startSite>>;
  let server: ApiServer;
  let url: string;
  let page: Page;

  beforeAll(async () => {
    [stranger, friend] = await Promise.all([startSite(), startSite()]);
    const guard = { apiKey: key, allowedOrigins: [friend.origin], allowedHosts: [] };
    server = new ApiServer(new Api({ engine, version: '0', ...guard }));
    url = await server.start({ host: '127.0.0.1', port: 0 });
    // The name of a rebinding attacker, when it has come to point at this machine.
    const rules = `MAP ${rebound} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost`;
    // Newer browsers guard this machine themselves; older ones and other programs do not.
    browser = await openBrowser([`--host-resolver-rules=${rules}`, '--disable-features=LocalNetworkAccessChecks']);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    for (const site of [stranger, friend]) site?.server.close();
  });
  beforeEach(async () => {
    engine.requests.length = 0;
    ({ page } = await browser.newPage());
  });

  interface Init {
    readonly method?: string;
    readonly mode?: 'no-cors';
    readonly headers?: Record<string, string>;
    readonly body?: string;
  }
  /** From the page that is open, as its own script would: the status, or why there is none. */
  const ask = async (address: string, init: Init): Promise<string> =>
    page.evaluate(
      async ([to, options]) => {
        try {
          const response = await fetch(to, options);
          return `${response.type} ${response.status}`;
        } catch (error) {
          return (error as Error).name;
        }
      },
      [address, init] as const,
    );
  const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] });
  const json = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };

  it.each([
    ['a question in JSON, the key and all', '/v1/chat/completions', { method: 'POST', headers: json, body }],
    ['a list of models', '/v1/models', { headers: { authorization: json.authorization } }],
    ['whether it is there', '/health', {}],
  ])('a page of a strange origin cannot ask for %s', async (_, path, init) => {
    await page.goto(stranger.origin);
    expect(await ask(url + path, init)).toBe('TypeError');
    expect(engine.requests).toEqual([]);
  });

  it('a page of a strange origin cannot send what needs no permission, and learns nothing', async () => {
    await page.goto(stranger.origin);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const init = { method: 'POST', mode: 'no-cors', headers: { 'content-type': type }, body } as const;
      expect(await ask(`${url}/v1/chat/completions`, init)).toBe('opaque 0');
    }
    await page.evaluate(
      `navigator.sendBeacon('${url}/v1/completions', new Blob([${JSON.stringify(body)}], { type: 'text/plain' }))`,
    );
    const refused = page.waitForResponse(`${url}/v1/chat/completions`);
    await page.evaluate(`(() => {
      const form = Object.assign(document.createElement('form'), { action: '${url}/v1/chat/completions', method: 'post', enctype: 'text/plain' });
      form.append(Object.assign(document.createElement('input'), { name: '{"messages":[{"role":"user","content":"', value: '"}]}' }));
      document.body.append(form);
      form.submit();
    })()`);
    expect((await refused).status()).toBe(403);
    expect(engine.requests).toEqual([]);
  });

  it('a page whose name was bound anew to this machine is refused, the key and all', async () => {
    const address = `http://${rebound}:${new URL(url).port}`;
    // What the attacker's own server gave out, before its name moved.
    await page.route(`${address}/`, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }));
    await page.goto(`${address}/`);
    for (const path of ['/v1/models', '/health', '/metrics']) {
      expect(await ask(path, { headers: { authorization: json.authorization } }), path).toBe('basic 403');
    }
    expect(await ask('/v1/chat/completions', { method: 'POST', headers: json, body })).toBe('basic 403');
    expect(engine.requests).toEqual([]);
  });

  it('a page of an origin that was allowed by name may ask, with the key', async () => {
    await page.goto(friend.origin);
    expect(await ask(`${url}/v1/chat/completions`, { method: 'POST', headers: json, body })).toBe('cors 200');
    expect(engine.requests).toHaveLength(1);
    const keyless = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    expect(await ask(`${url}/v1/chat/completions`, keyless)).toBe('cors 401');
  });
});
