import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';

import { makeHomeSync, resolveHome } from '../../../main/home.ts';

const at = (platform: NodeJS.Platform, env: Record<string, string>, override?: string) =>
  resolveHome(override, { env, platform, userFolder: platform === 'win32' ? 'C:\\Users\\a' : '/home/a' }).root;

describe('the home folder', () => {
  test.each<[NodeJS.Platform, Record<string, string>, string]>([
    ['linux', {}, '/home/a/.local/share/nemoflash'],
    ['linux', { XDG_DATA_HOME: '/data' }, '/data/nemoflash'],
    ['linux', { XDG_DATA_HOME: 'relative' }, '/home/a/.local/share/nemoflash'],
    ['darwin', {}, '/home/a/Library/Application Support/Nemoflash'],
    ['win32', { LOCALAPPDATA: 'D:\\Local' }, 'D:\\Local\\Nemoflash'],
    ['win32', {}, 'C:\\Users\\a\\AppData\\Local\\Nemoflash'],
    ['linux', { NEMOFLASH_HOME: '/elsewhere', XDG_DATA_HOME: '/data' }, '/elsewhere'],
    ['linux', { NEMOFLASH_HOME: '' }, '/home/a/.local/share/nemoflash'],
  ])('on %s with %o is %s', (platform, env, root) => {
    expect(at(platform, env)).toBe(root);
  });

  test('an explicit folder wins, and a relative one counts from here', () => {
    expect(at('linux', { NEMOFLASH_HOME: '/elsewhere' }, '/mine')).toBe('/mine');
    expect(at('linux', {}, 'mine')).toBe(path.resolve('mine'));
  });

  test('is made for this user alone, and a folder that cannot be made is named', () => {
    const parent = mkdtempSync(path.join(tmpdir(), 'nemoflash-test-'));
    onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
    const home = makeHomeSync(resolveHome(path.join(parent, 'a', 'b')));
    for (const folder of [home.root, home.backupsFolder, home.modelsFolder, home.cacheFolder]) {
      expect(statSync(folder).mode & 0o777).toBe(0o700);
    }
    writeFileSync(path.join(parent, 'file'), '');
    expect(() => makeHomeSync(resolveHome(path.join(parent, 'file', 'home')))).toThrow(/cannot use the folder .*file/);
  });
});
