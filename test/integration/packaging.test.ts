/** Packages the app around a stand-in for Electron's binaries, then opens the package and looks. */
import { execFile } from 'node:child_process';
import { access, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { extractAll, extractFile, listPackage } from '@electron/asar';
import { FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { productionPackages } from '../../main/licences.ts';
import { chromiumPath, needsChromium } from '../support/browser.ts';
import { makeStandInElectron } from '../support/standInElectron.ts';
import { writeTinyCheckpoint } from '../support/tinyCheckpoint.ts';

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../..');
const megabyte = 1024 * 1024;
/** How the wire spells a fuse that is on: the character '1'. */
const fuseIsOn = 0x31;

let work: string;
let app: string;
let asar: string;

beforeAll(async () => {
  work = await mkdtemp(path.join(tmpdir(), 'nemoflash-package-'));
  const electron = await makeStandInElectron(work);
  const builder = path.join(root, 'node_modules', 'electron-builder', 'cli.js');
  const options = [`-c.electronDist=${electron}`, `-c.directories.output=${path.join(work, 'dist')}`];
  await run(process.execPath, [builder, '--linux', 'dir', '--x64', ...options], {
    cwd: root,
    maxBuffer: 64 * megabyte,
  });
  app = path.join(work, 'dist', 'linux-unpacked');
  asar = path.join(app, 'resources', 'app.asar');
});
afterAll(async () => rm(work, { recursive: true, force: true }));

it('holds the bundles, the page and the addon, and nothing else', () => {
  const files = listPackage(asar, { isPack: false }).map((file) => file.replaceAll('\\', '/'));
  expect(files).toEqual(
    expect.arrayContaining([
      '/package.json',
      '/out/main/index.cjs',
      '/out/main/preload.cjs',
      '/out/main/hashWorker.cjs',
      '/out/renderer/index.html',
      '/build/native/Release/nemoflash.node',
      '/node_modules/@mlc-ai/web-xgrammar/lib/index.js',
    ]),
  );
  const allowed =
    /^\/(package\.json|out(\/THIRD-PARTY-NOTICES\.txt|\/(main|renderer)(\/.*)?)?|build(\/native(\/Release(\/nemoflash\.node)?)?)?|node_modules(\/@mlc-ai(\/web-xgrammar(\/package\.json|\/lib(\/index\.js)?)?)?)?)$/;
  expect(files.filter((file) => !allowed.test(file))).toEqual([]);
  expect(files.filter((file) => /\.(ts|tsx|map|cpp|h|cu|safetensors)$/.test(file))).toEqual([]);
});

it('names no development dependency, and the version of package.json', async () => {
  const packed = JSON.parse(extractFile(asar, 'package.json').toString()) as Record<string, unknown>;
  const own = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
  expect(packed['version']).toBe(own['version']);
  expect(packed['devDependencies']).toBeUndefined();
  expect(packed['main']).toBe('out/main/index.cjs');
  // Electron names its windows by it, and the menu's entry is found by it.
  expect(packed['desktopName']).toBe('nemoflash.desktop');
});

it('loads the addon from its unpacked place under plain Node', async () => {
  const addon = path.join(app, 'resources', 'app.asar.unpacked', 'build', 'native', 'Release', 'nemoflash.node');
  const { stdout } = await run(process.execPath, ['-p', `Object.keys(require(${JSON.stringify(addon)})).length`]);
  expect(Number(stdout)).toBeGreaterThan(0);
  expect((await stat(addon)).size).toBeLessThan(25 * megabyte);
});

it('sets every fuse, each for its reason in electron-builder.yml', async () => {
  const wire = await getCurrentFuseWire(path.join(app, 'nemoflash'));
  const on = (fuse: FuseV1Options): boolean => Number(wire[fuse]) === fuseIsOn;
  expect(on(FuseV1Options.RunAsNode)).toBe(false);
  expect(on(FuseV1Options.EnableNodeOptionsEnvironmentVariable)).toBe(false);
  expect(on(FuseV1Options.EnableNodeCliInspectArguments)).toBe(false);
  expect(on(FuseV1Options.EnableCookieEncryption)).toBe(true);
  expect(on(FuseV1Options.EnableEmbeddedAsarIntegrityValidation)).toBe(true);
  expect(on(FuseV1Options.OnlyLoadAppFromAsar)).toBe(true);
  expect(on(FuseV1Options.GrantFileProtocolExtraPrivileges)).toBe(false);
});

it('ships the licences of all that is inside', async () => {
  await access(path.join(app, 'LICENSE'));
  await access(path.join(app, 'LICENSES.chromium.html'));
  const notices = await readFile(path.join(app, 'THIRD-PARTY-NOTICES.txt'), 'utf8');
  const packages = productionPackages();
  expect(packages.map(({ name }) => name)).toEqual(expect.arrayContaining(['react', 'zod', 'electron-updater']));
  for (const { name, version } of packages) expect(notices).toContain(`${name} ${version} (`);
});

/** The packed bundles as plain files, under the double, in a folder without the sources. */
describe.skipIf(chromiumPath === null)(needsChromium('commands of the packed app'), () => {
  const double = path.join(root, 'test', 'support', 'electronDouble', 'register.mjs');
  const command = async (...args: readonly string[]): Promise<unknown> => {
    const packed = path.join(work, 'packed');
    const flags = [
      '--import',
      double,
      '--disable-warning=ExperimentalWarning',
      path.join(packed, 'out/main/index.cjs'),
    ];
    const home = ['--home', path.join(work, 'home'), '--json'];
    const { stdout } = await run(process.execPath, [...flags, ...args, ...home], { cwd: packed });
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  };
  beforeAll(() => extractAll(asar, path.join(work, 'packed')));

  it('generate with the packed engine', async () => {
    const args = ['--model', 'synthetic:tiny', '--prompt', 'x', '--max-new-tokens', '3', '--ignore-end'];
    expect(await command('generate', ...args)).toMatchObject({ stats: { outputTokens: 3 } });
  });

  it('check a model with the packed worker thread', async () => {
    const folder = path.join(work, 'tiny');
    writeTinyCheckpoint(folder);
    const imported = (await command('models', 'import', folder)) as { model: { id: string } };
    const { report } = (await command('models', 'verify', imported.model.id)) as { report: { files: object[] } };
    expect(report).toMatchObject({ ok: true });
    expect(report.files.length).toBeGreaterThan(2);
  });
});
