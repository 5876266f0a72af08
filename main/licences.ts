/**
 * The licences of everything that an installed Nemoflash contains, as one text beside LICENSE: every package that
 * package-lock.json lists for production, with the text that the package itself ships. Runs when the app is built.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { AppError } from './contract/errors.ts';

/** Where package-lock.json lies: above main/ in the source tree. The bundle in out/main only reads what was built. */
const root = path.resolve(import.meta.dirname, '..');
const fileName = 'THIRD-PARTY-NOTICES.txt';
const builtFile = path.join(root, 'out', fileName);

interface LockEntry {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly optional?: boolean;
}

export interface ProductionPackage {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly author: string | null;
  /** What the package itself ships; a few ship none. */
  readonly texts: readonly string[];
}

const line = '='.repeat(100);
const ownWords = `Nemoflash contains the work of others. Their licences follow, package by package.

Electron and Chromium have theirs in LICENSE.electron.txt and LICENSES.chromium.html. Where the engine was built for NVIDIA
GPUs it contains the CUDA runtime, under the NVIDIA CUDA Toolkit EULA (https://docs.nvidia.com/cuda/eula). The weights of a
model are not part of Nemoflash: their licence is shown before they are fetched.
`;

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));

function readPackage(folder: string): ProductionPackage {
  const described = readJson(path.join(folder, 'package.json')) as {
    name: string;
    version: string;
    license?: string;
    author?: string | { name: string };
  };
  const { name, version, license, author } = described;
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice|ofl)/i.test(file));
  const texts = files.sort().map((file) => readFileSync(path.join(folder, file), 'utf8').trim());
  const writer = typeof author === 'object' ? author.name : author;
  return { name, version, licence: license ?? 'not declared', author: writer ?? null, texts };
}

/** Every production package that is installed here, sorted by name. */
export function productionPackages(): readonly ProductionPackage[] {
  const { packages } = readJson(path.join(root, 'package-lock.json')) as { packages: Record<string, LockEntry> };
  const found = new Map<string, ProductionPackage>();
  for (const [place, { dev, devOptional, optional }] of Object.entries(packages)) {
    if (place === '' || dev || devOptional) continue;
    try {
      const entry = readPackage(path.join(root, place));
      found.set(`${entry.name} ${entry.version}`, entry);
    } catch (error) {
      // An optional package that is missing is one for another system.
      if (!optional || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name));
}

export function buildNotices(): void {
  const entries = productionPackages().map(({ name, version, licence, author, texts }) => {
    const missing = `The package ships no text${author === null ? '' : `; its author is ${author}`}.`;
    return [line, `${name} ${version} (${licence})`, '', ...(texts.length > 0 ? texts : [missing])].join('\n');
  });
  mkdirSync(path.dirname(builtFile), { recursive: true });
  writeFileSync(builtFile, `${[ownWords, ...entries].join('\n\n')}\n`);
}

/** What buildNotices left: in out/, which is the folder above the bundle. Throws NOT_FOUND before the first build. */
export async function readLicences(): Promise<string> {
  const file = [builtFile, path.join(root, fileName)].find((candidate) => existsSync(candidate));
  if (file === undefined) throw new AppError('NOT_FOUND', 'The licences are not built yet. Run npm run build.');
  return readFile(file, 'utf8');
}
