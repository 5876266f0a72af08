import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

import { defaultSettings } from '../../../main/contract/domain.ts';
import { SettingsStore } from '../../../main/settings.ts';
import { testHome } from '../history/testHome.ts';

function setUp(content?: string) {
  const home = testHome();
  if (content !== undefined) writeFileSync(home.settingsFile, content);
  const open = () => SettingsStore.openSync(home.settingsFile, home.damagedFolder);
  return { home, open, store: open() };
}

describe('settings', () => {
  test('start as the defaults, without writing anything', () => {
    const { home, store } = setUp();
    expect(store.current).toEqual(defaultSettings);
    expect(store.problems).toEqual([]);
    expect(existsSync(home.settingsFile)).toBe(false);
  });

  test('survive closing and opening', async () => {
    const { home, open, store } = setUp();
    const sampling = { ...defaultSettings.sampling, temperature: 0, seed: 7 };
    await store.update({ theme: 'dark', sampling });
    await store.acceptLicence('nvidia/A', 'abc', 5);
    await store.acceptLicence('nvidia/A', 'abc', 6);
    expect(open().current).toEqual({
      ...defaultSettings,
      theme: 'dark',
      sampling,
      acceptedLicences: [{ repo: 'nvidia/A', revision: 'abc', at: 5 }],
    });
    expect(statSync(home.settingsFile).mode & 0o777).toBe(0o600);
  });

  test('a bad value falls back alone and is named; the others stay', () => {
    const { store } = setUp(
      JSON.stringify({
        theme: 'pink',
        railOpen: false,
        contextPositions: 12,
        sampling: { temperature: 99, topK: 5 },
        hub: { offline: true, endpoint: 'not an address' },
      }),
    );
    expect(store.current).toEqual({
      ...defaultSettings,
      railOpen: false,
      sampling: { ...defaultSettings.sampling, topK: 5 },
      hub: { ...defaultSettings.hub, offline: true },
    });
    expect(store.problems.map((problem) => problem.split(':')[0])).toEqual([
      'settings.theme',
      'settings.contextPositions',
      'settings.sampling.temperature',
      'settings.hub.endpoint',
    ]);
  });

  test('keys of a newer version are kept through an update', async () => {
    const { home, store } = setUp(JSON.stringify({ theme: 'light', fromTheFuture: { a: [1] } }));
    await store.update({ theme: 'dark' });
    const written: unknown = JSON.parse(readFileSync(home.settingsFile, 'utf8'));
    expect(written).toMatchObject({ theme: 'dark', fromTheFuture: { a: [1] } });
  });

  test.each([
    ['bytes of zero', '\0'.repeat(500)],
    ['half a file', '{"theme": "da'],
    ['a list', '[1, 2]'],
    ['nothing', ''],
  ])('a damaged file (%s) is set aside, reported and replaced', async (_, content) => {
    const { home, open, store } = setUp(content);
    expect(store.current).toEqual(defaultSettings);
    const [aside] = readdirSync(home.damagedFolder);
    expect(readFileSync(path.join(home.damagedFolder, aside ?? ''), 'utf8')).toBe(content);
    expect(store.problems[0]).toContain(aside);
    await store.update({ theme: 'dark' });
    expect(open().current.theme).toBe('dark');
    expect(open().problems).toEqual([]);
  });

  test('updates made at once all arrive, in order, and leave no file behind', async () => {
    const { home, open, store } = setUp();
    const seen: boolean[] = [];
    store.onChange((settings) => seen.push(settings.railOpen));
    await Promise.all([
      store.update({ theme: 'dark' }),
      store.update({ railOpen: false }),
      store.update({ systemPrompt: 'Be brief.' }),
    ]);
    expect(open().current).toEqual({ ...defaultSettings, theme: 'dark', railOpen: false, systemPrompt: 'Be brief.' });
    expect(seen).toEqual([true, false, false]);
    expect(readdirSync(home.root).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('a listener hears nothing after it unsubscribed', async () => {
    const { store } = setUp();
    let heard = 0;
    const unsubscribe = store.onChange(() => heard++);
    await store.update({ theme: 'dark' });
    unsubscribe();
    await store.update({ theme: 'light' });
    expect(heard).toBe(1);
  });

  test('what cannot be written is refused, changes nothing, and can be tried again', async () => {
    const { home, store } = setUp();
    const gone = SettingsStore.openSync(path.join(home.root, 'missing', 'settings.json'), home.damagedFolder);
    await expect(gone.update({ theme: 'dark' })).rejects.toMatchObject({ code: 'DISK', retryable: true });
    expect(gone.current.theme).toBe('system');
    await store.update({ theme: 'dark' });
    expect(store.current.theme).toBe('dark');
  });

  test.skipIf(process.getuid?.() === 0)('an unreadable file is an error, not a fresh start (skipped for root)', () => {
    const { home, open } = setUp('{}');
    chmodSync(home.settingsFile, 0);
    expect(open).toThrow('cannot be read');
  });
});
