/** A folder that electron-builder takes for an Electron distribution: the real file names, and a binary with fuses. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

import { createPackage } from '@electron/asar';

const { version } = createRequire(import.meta.url)('electron/package.json') as { readonly version: string };

/** What the fuse tool searches for in the binary: sentinel, wire version, number of fuses, and one digit each. */
const fuseWire = Buffer.concat([
  Buffer.from('dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX'),
  Buffer.from([1, 8]),
  Buffer.from('10110001'),
]);

export async function makeStandInElectron(parent: string): Promise<string> {
  const folder = await mkdtemp(path.join(parent, 'electron-'));
  const put = async (name: string, content: string | Buffer, mode = 0o644): Promise<void> => {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), content, { mode });
  };
  await put('electron', Buffer.concat([Buffer.from('\x7fELF stand-in '), fuseWire, Buffer.alloc(64)]), 0o755);
  await put('version', version);
  await put('LICENSE', 'Electron licence');
  await put('LICENSES.chromium.html', 'Chromium licences');
  for (const locale of ['en-US', 'de', 'fr']) await put(`locales/${locale}.pak`, locale);
  await put('default/package.json', '{}');
  await mkdir(path.join(folder, 'resources'));
  await createPackage(path.join(folder, 'default'), path.join(folder, 'resources', 'default_app.asar'));
  await rm(path.join(folder, 'default'), { recursive: true });
  return folder;
}
