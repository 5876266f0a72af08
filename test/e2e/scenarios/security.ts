/** What must hold in every shell: the page has no powers but its bridge, and the bridge refuses what it does not know. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { freshFolder, removeFolder } from '../../support/home.ts';
import type { Shell, ShellKind } from '../../support/shells.ts';

const refused = (code: string) => ({ ok: false, error: { code, message: expect.stringMatching(/\w+ \w+/) } });

/** Does something in the page and resolves with the directive of the policy that it violates. */
const violation = (action: string) => `new Promise((resolve) => {
  addEventListener('securitypolicyviolation', ({ effectiveDirective }) => resolve(effectiveDirective), { once: true });
  ${action}
})`;

export function securityScenarios(kind: ShellKind): void {
  describe.skipIf(kind.skipped)(`${kind.title}: security`, () => {
    const home = freshFolder();
    let shell: Shell;
    beforeAll(async () => {
      shell = await kind.start({ home });
    });
    afterAll(async () => {
      await shell?.close();
      removeFolder(home);
    });

    it('gives the page no Node and no Electron', async () => {
      const names = [
        'require',
        'process',
        'module',
        'exports',
        'Buffer',
        '__dirname',
        'global',
        'electron',
        'ipcRenderer',
      ];
      const types = await shell.page.evaluate(`[${names.map((name) => `typeof ${name}`).join(', ')}]`);
      expect(types).toEqual(names.map(() => 'undefined'));
    });

    it.each([
      [
        'an inline script',
        'script-src-elem',
        `document.head.append(Object.assign(document.createElement('script'), { textContent: 'window.intruded = true' }));`,
      ],
      [
        'an inline handler',
        'script-src-attr',
        `document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.intruded = true" hidden>');`,
      ],
      [
        'a script from elsewhere',
        'script-src-elem',
        `document.head.append(Object.assign(document.createElement('script'), { src: 'https://evil.example/x.js' }));`,
      ],
      ['a request to elsewhere', 'connect-src', `fetch('https://evil.example/').catch(() => undefined);`],
      ['an image from elsewhere', 'img-src', `new Image().src = 'https://evil.example/x.png';`],
      [
        'a frame',
        'frame-src',
        `document.body.append(Object.assign(document.createElement('iframe'), { src: 'https://evil.example/' }));`,
      ],
      [
        'a frame of our own',
        'frame-src',
        `document.body.append(Object.assign(document.createElement('iframe'), { src: '/' }));`,
      ],
      [
        'a form',
        'form-action',
        `document.body.append(Object.assign(document.createElement('form'), { action: 'https://evil.example/' })); document.forms[document.forms.length - 1].submit();`,
      ],
    ])('has a policy that stops %s', async (_name, directive, action) => {
      expect(await shell.page.evaluate(violation(action))).toBe(directive);
      expect(await shell.page.evaluate('window.intruded')).toBeUndefined();
    });

    it('does not evaluate text as code', async () => {
      // From a script of the page's own: what the test evaluates directly is exempt from the policy.
      const outcome = await shell.page.evaluate(`new Promise((resolve) => setTimeout(() => {
        try { resolve(new Function('return 7')()); } catch (error) { resolve(error.name); }
      }))`);
      expect(outcome).toBe('EvalError');
    });

    it.each(['app.explode', '', 'constructor', '__proto__'])(
      'refuses the unknown route %j and goes on',
      async (route) => {
        expect(await shell.ask(route, {})).toMatchObject(refused('UNKNOWN_ROUTE'));
        expect(await shell.ask('settings.get', {})).toMatchObject({ ok: true });
      },
    );

    it.each([
      ['chat.stop', {}],
      ['chat.stop', null],
      ['settings.update', { theme: 'dark', colour: 'pink' }],
      ['settings.update', { sampling: { temperature: 99 } }],
      ['models.describe', { repo: '../../etc/passwd' }],
    ])('refuses a malformed %s (%j) and goes on', async (route, input) => {
      expect(await shell.ask(route, input)).toMatchObject(refused('BAD_REQUEST'));
      expect(await shell.ask('settings.get', {})).toMatchObject({ ok: true });
    });

    if (!kind.ownsWindow) return;

    it('lets the page go nowhere else and opens web links outside', async () => {
      const before = shell.page.url();
      for (const url of ['https://example.org/link', 'http://example.org/plain']) {
        await shell.page.evaluate(`void (location.href = ${JSON.stringify(url)})`);
        await expect.poll(() => shell.openedOutside()).toContain(url);
        expect(shell.page.url()).toBe(before);
      }
      expect(await shell.ask('settings.get', {})).toMatchObject({ ok: true });
    });

    it('opens no second window', async () => {
      await shell.page.evaluate(`void window.open('https://example.org/pop-up')`);
      await expect.poll(() => shell.openedOutside()).toContain('https://example.org/pop-up');
      await expect.poll(() => shell.page.context().pages().length).toBe(1);
    });

    it('opens nothing outside that is not a web address', async () => {
      const before = (await shell.openedOutside()).length;
      for (const url of ['file:///etc/passwd', 'about:blank', 'data:text/html,x']) {
        await shell.page.evaluate(`void window.open(${JSON.stringify(url)})`);
      }
      await expect.poll(() => shell.page.context().pages().length).toBe(1);
      expect((await shell.openedOutside()).length).toBe(before);
    });

    it('denies what a page may ask of the system', async () => {
      const state = (name: string) =>
        shell.page.evaluate(`navigator.permissions.query({ name: '${name}' }).then(({ state }) => state)`);
      for (const name of ['geolocation', 'notifications', 'camera']) expect(await state(name)).toBe('denied');
    });
  });
}
