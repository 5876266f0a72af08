/** The app over a home in which something is broken: it starts, keeps what was there, and says what it did. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it, onTestFinished } from 'vitest';

import { createApp } from '../../main/app.ts';
import type { App } from '../../main/app.ts';
import type { AppInfo } from '../../main/contract/domain.ts';
import { makeHomeSync, resolveHome } from '../../main/home.ts';
import type { Home } from '../../main/home.ts';
import { silentLog } from '../../main/log.ts';
import { testHome } from '../support/home.ts';
import { randomOf } from '../support/random.ts';

async function start(home: Home): Promise<App> {
  const app = await createApp({
    ...{ home, log: silentLog, version: '1.0', shell: 'web', startModel: null },
    pickFolder: async () => null,
  });
  onTestFinished(() => app.dispose());
  return app;
}

async function infoOf({ router }: App): Promise<AppInfo> {
  const reply = await router.request('app.info', {});
  if (!reply.ok) throw new Error(reply.error.message);
  return reply.value as AppInfo;
}

/** What writes, kills, disks and editors leave of a file. */
const damages: readonly (readonly [string, (whole: Buffer) => Buffer])[] = [
  ['cut in the middle', (whole) => whole.subarray(0, whole.length >> 1)],
  ['zeros all over', (whole) => Buffer.alloc(whole.length)],
  [
    'noise all over',
    (whole) => {
      const { below } = randomOf(7);
      return Buffer.from(whole.map(() => below(256)));
    },
  ],
  ['another kind of file', () => Buffer.from('{"chats": "no database"}')],
];

describe('a start over damaged files', () => {
  it.each(damages)('keeps both files and says so on the page: %s', async (_name, damage) => {
    const home = makeHomeSync(resolveHome(testHome()));
    const first = await start(home);
    await first.router.request('settings.update', { theme: 'dark' });
    await first.router.request('chats.create', {});
    await first.dispose();
    for (const file of [home.historyFile, home.settingsFile]) writeFileSync(file, damage(readFileSync(file)));
    if (_name === 'another kind of file') writeFileSync(home.settingsFile, '"no settings"');

    const second = await start(home);
    const { notices, loadsModel } = await infoOf(second);
    expect(notices).toEqual([
      expect.stringContaining('The file of the chats was damaged.'),
      expect.stringContaining('The settings were damaged'),
    ]);
    expect(loadsModel).toBe(true);
    const kept = readdirSync(home.damagedFolder).join(' ');
    expect(kept).toMatch(/settings-/);
    expect(kept).toMatch(/chats/);
    expect(await second.router.request('chats.create', {})).toMatchObject({ ok: true });
    expect(await second.router.request('settings.update', { theme: 'light' })).toMatchObject({ ok: true });
  });

  it('names single settings that were not usable, and keeps the others', async () => {
    const home = makeHomeSync(resolveHome(testHome()));
    writeFileSync(
      home.settingsFile,
      JSON.stringify({ theme: 'pink', contextPositions: 4096, systemPrompt: { toString: 1, length: 9 } }),
    );
    const app = await start(home);
    expect((await infoOf(app)).notices).toEqual([expect.stringMatching(/^Some settings .*: theme, systemPrompt\.$/)]);
    expect(app.settings.current).toMatchObject({ theme: 'system', contextPositions: 4096, systemPrompt: '' });
  });

  it('does not load again by itself the model during whose load the process ended', async () => {
    const home = makeHomeSync(resolveHome(testHome()));
    writeFileSync(home.settingsFile, JSON.stringify({ modelId: 'synthetic:tiny' }));
    const logs = path.dirname(home.logFile);
    mkdirSync(logs, { recursive: true });
    writeFileSync(
      path.join(logs, `run-${2 ** 30}.json`),
      JSON.stringify({ version: '0.9', startedAt: 1, loading: 'synthetic:tiny' }),
    );
    const app = await start(home);
    await app.modelLoaded;
    expect(app.engine.status.state).toBe('empty');
    expect(await infoOf(app)).toMatchObject({
      loadsModel: false,
      notices: [expect.stringContaining('while it loaded synthetic:tiny')],
    });
    expect(readdirSync(logs).some((name) => name.startsWith('crash-'))).toBe(true);
    await app.dispose();
    expect(existsSync(path.join(logs, `run-${process.pid}.json`))).toBe(false);
  });
});
