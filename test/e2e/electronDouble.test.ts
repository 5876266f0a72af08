/** The app's entry and preload, as they are shipped, under the double of Electron. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

import { electronDouble, startAndWait, startElectronDouble } from '../support/electronDouble/launch.ts';
import type { ElectronShell } from '../support/electronDouble/launch.ts';
import { freshFolder, removeFolder, testHome } from '../support/home.ts';
import { apiScenario } from './scenarios/api.ts';
import { chatScenarios } from './scenarios/chat.ts';
import { firstStartScenario } from './scenarios/firstStart.ts';
import { securityScenarios } from './scenarios/security.ts';

securityScenarios(electronDouble);

chatScenarios(electronDouble);
firstStartScenario(electronDouble);
apiScenario(electronDouble);

describe.skipIf(electronDouble.skipped)(`${electronDouble.title}: the app`, () => {
  const home = freshFolder();
  let shell: ElectronShell;
  beforeAll(async () => {
    shell = await startElectronDouble({ home });
  });
  afterAll(async () => {
    await shell?.close();
    removeFolder(home);
  });

  it('asks for the sandbox and its scheme before it is ready', () => {
    const types = shell.told.map(({ type }) => type);
    expect(types.indexOf('sandboxed')).toBeGreaterThanOrEqual(0);
    expect(types.indexOf('sandboxed')).toBeLessThan(types.indexOf('started'));
    expect(shell.told.find(({ type }) => type === 'schemes')).toMatchObject({
      schemes: [{ scheme: 'app', privileges: { standard: true, secure: true } }],
    });
  });

  it('gives the page a bridge of three functions that it cannot change', async () => {
    expect(await shell.page.evaluate('Object.keys(window.bridge).sort()')).toEqual(['on', 'pathOf', 'request']);
    const tampered = 'window.bridge.request = 1, window.bridge = 2, typeof window.bridge.request';
    expect(await shell.page.evaluate(tampered)).toBe('function');
  });

  it('brings events to the page until it unsubscribes', async () => {
    await shell.page.evaluate(`(() => {
      window.seen = [];
      window.off = window.bridge.on('settings.changed', ({ theme }) => window.seen.push(theme));
    })()`);
    await shell.ask('settings.update', { theme: 'dark' });
    await expect.poll(() => shell.page.evaluate('window.seen')).toEqual(['dark']);
    await shell.page.evaluate('window.off()');
    await shell.ask('settings.update', { theme: 'light' });
    expect(await shell.page.evaluate('window.seen')).toEqual(['dark']);
  });

  it.each([
    [
      'another origin in the main frame',
      { url: 'https://evil.example/', origin: 'https://evil.example', parent: null },
    ],
    [
      'a frame within our page',
      { url: 'app://nemoflash/', origin: 'app://nemoflash', parent: { url: 'app://nemoflash/' } },
    ],
    ['another host of our scheme', { url: 'app://evil/', origin: 'app://evil', parent: null }],
    ['a frame that is gone', null],
  ])('refuses %s', async (_name, frame) => {
    expect(await shell.invokeAs(frame, 'nf:request', 'settings.get', {})).toMatchObject({
      value: { ok: false, error: { code: 'FORBIDDEN' } },
    });
  });

  it('answers the same frame when it is our page, so that the refusals above mean something', async () => {
    const ours = { url: 'app://nemoflash/', origin: 'app://nemoflash', parent: null };
    expect(await shell.invokeAs(ours, 'nf:request', 'settings.get', {})).toMatchObject({ value: { ok: true } });
  });

  it('hands over the folder that was picked, or none', async () => {
    expect(await shell.ask('app.pickFolder', { title: 'Models' })).toEqual({ ok: true, value: { path: null } });
    await shell.pickFolder('/models');
    expect(await shell.ask('app.pickFolder', { title: 'Models' })).toEqual({ ok: true, value: { path: '/models' } });
  });

  it('runs once per home: a second start shows the first window', async () => {
    const { code, told } = await startAndWait({ home });
    expect(code).toBe(0);
    expect(told.map(({ type }) => type)).not.toContain('shown');
    await expect.poll(() => shell.told.map(({ type }) => type)).toContain('focused');
  });

  it('shows the page of a model when a link asks for it, and fetches nothing', async () => {
    await startAndWait({ home, args: ['nemoflash://models/nvidia/Nemotron-Flash-1B'] });
    await shell.page.getByRole('region', { name: 'Nemotron-Flash-1B' }).waitFor();
    expect(await shell.ask('models.downloads', {})).toEqual({ ok: true, value: [] });
  });

  it("has the system's own menu, whose About shows version, licences and diagnostics", async () => {
    const roles = new Set(JSON.stringify(shell.told.find(({ type }) => type === 'menu')).match(/(?<="role":")\w+/g));
    expect([...roles]).toEqual(expect.arrayContaining(['editMenu', 'zoomIn', 'resetZoom', 'windowMenu', 'quit']));
    shell.chooseMenu('About Nemoflash');
    await shell.page.getByText(/^Nemoflash · .*\d+\.\d+\.\d+/).waitFor();
    await shell.page.getByRole('button', { name: 'Licences' }).click();
    await shell.page.getByRole('dialog', { name: 'Licences' }).getByText('Electron').first().waitFor();
    await shell.page.keyboard.press('Escape');
  });

  it('keeps the machine awake while it answers and no longer, and asks the engine after a sleep', async () => {
    await shell.ask('engine.load', { source: 'synthetic:tiny' });
    const { value: chat } = (await shell.ask('chats.create', {})) as { value: { id: string } };
    const told = (type: string) => shell.told.filter((message) => message.type === type).length;
    const before = told('awake');
    await expect.poll(() => told('maySleep')).toBe(before); // what was answered earlier has ended
    await shell.ask('chat.send', { chatId: chat.id, parentId: null, content: 'Where is New York?' });
    await expect.poll(() => told('maySleep')).toBe(before + 1);
    expect(told('awake')).toBe(before + 1);
    shell.resume();
    await expect.poll(() => shell.ask('engine.status', {})).toMatchObject({ value: { state: 'ready', running: 0 } });
    await expect.poll(() => told('maySleep')).toBe(told('awake')); // the question itself takes a moment of the engine
  });

  it('loads the page again after it crashed', async () => {
    const loads = () => shell.told.filter(({ type }) => type === 'loaded').length;
    const before = loads();
    const cdp = await shell.page.context().newCDPSession(shell.page);
    void cdp.send('Page.crash').catch(() => undefined);
    await expect.poll(loads).toBe(before + 1);
    // Playwright does not get over a crash; main does.
    const ours = { url: 'app://nemoflash/', origin: 'app://nemoflash', parent: null };
    expect(await shell.invokeAs(ours, 'nf:request', 'app.diagnostics', {})).toMatchObject({
      value: {
        ok: true,
        value: { text: expect.stringMatching(/# Crashes\nNemoflash .* page: crashed, exit code 139/) },
      },
    });
  });
});

describe.skipIf(electronDouble.skipped)(`${electronDouble.title}: start and end`, () => {
  const start = async (): Promise<ElectronShell> => {
    const shell = await startElectronDouble({ home: testHome() });
    onTestFinished(() => shell.close());
    return shell;
  };

  it('says why in a box, and ends, when its folder cannot be used', async () => {
    const home = path.join(testHome(), 'file');
    writeFileSync(home, 'a file where the folder should be');
    const { code, told } = await startAndWait({ home });
    expect(code).toBe(1);
    const box = { type: 'errorBox', content: expect.stringContaining(home) };
    expect(told).toContainEqual(expect.objectContaining(box));
  });

  it('ends in order when it is told to', async () => {
    const shell = await start();
    shell.signal('SIGTERM');
    expect(await shell.exited).toBe(0);
  });

  it('opens where it was closed, or where a screen is', async () => {
    const home = testHome();
    const stateFile = path.join(home, 'window.json');
    const bounds = { x: 100, y: 50, width: 900, height: 600 };
    const boundsOf = ({ told }: ElectronShell) => told.find(({ type }) => type === 'window')?.['bounds'];
    writeFileSync(stateFile, JSON.stringify({ bounds, maximized: false }));
    const first = await startElectronDouble({ home });
    expect(boundsOf(first)).toEqual(bounds);
    await first.close();
    expect(JSON.parse(readFileSync(stateFile, 'utf8'))).toEqual({ bounds, maximized: false });
    writeFileSync(stateFile, JSON.stringify({ bounds: { ...bounds, x: 5000 }, maximized: true }));
    const second = await startElectronDouble({ home });
    onTestFinished(() => second.close());
    expect(boundsOf(second)).toMatchObject({ x: 0, y: 0, width: 1280 });
    expect(second.told.map(({ type }) => type)).toContain('maximized');
  });

  it('stays in the tray when its window is closed, for those who chose so, and still ends in order', async () => {
    const shell = await start();
    await shell.ask('settings.update', { desktop: { tray: true, softwareRendering: false, spellCheck: false } });
    const told = () => shell.told.map(({ type }) => type);
    await expect.poll(told).toContain('tray');
    shell.closeWindow();
    await expect.poll(told).toContain('hidden');
    expect(await shell.ask('settings.get', {})).toMatchObject({ ok: true });
    shell.signal('SIGTERM');
    expect(await shell.exited).toBe(0);
    expect(told()).toContain('trayGone');
  });

  it('draws the window on the CPU from the next start on, for those who leave the GPU to the model', async () => {
    const home = testHome();
    const first = await startElectronDouble({ home });
    const desktop = { tray: false, softwareRendering: true, spellCheck: false };
    expect(await first.ask('settings.update', { desktop })).toMatchObject({ ok: true });
    expect(first.told.map(({ type }) => type)).not.toContain('softwareRendering');
    await first.close();
    const second = await startElectronDouble({ home });
    onTestFinished(() => second.close());
    expect(second.told.map(({ type }) => type)).toContain('softwareRendering');
  });

  it('says after a kill that it did not end in order, once, and starts without a model in safe mode', async () => {
    const home = testHome();
    const first = await startElectronDouble({ home });
    await first.ask('settings.update', { theme: 'dark' });
    first.signal('SIGKILL');
    await first.exited;
    const second = await startElectronDouble({ home, args: ['--safe-mode'] });
    const notices = [expect.stringContaining('ended unexpectedly')];
    expect(await second.ask('app.info', {})).toMatchObject({ value: { safeMode: true, loadsModel: false, notices } });
    await second.page.getByText('ended unexpectedly').waitFor();
    expect(second.told.map(({ type }) => type)).toContain('softwareRendering');
    await second.close();
    const third = await startElectronDouble({ home });
    onTestFinished(() => third.close());
    expect(await third.ask('app.info', {})).toMatchObject({
      value: { safeMode: false, loadsModel: true, notices: [] },
    });
  });

  it.skipIf(process.platform === 'darwin')('ends when its window is closed', async () => {
    const shell = await start();
    await shell.page.close();
    expect(await shell.exited).toBe(0);
  });
});
