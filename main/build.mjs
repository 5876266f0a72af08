// `npm run build`: the page (out/renderer), the entries of both shells and the preload script (out/main), each to plain
// files, and the licences of what they contain.
import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

import { buildNotices } from './licences.ts';

const root = path.resolve(import.meta.dirname, '..');
const out = path.join(root, 'out', 'main');

/** CommonJS files: a sandboxed preload cannot import, and Electron must have its guards on before it is ready. */
export async function buildMain() {
  const esbuild = await import('esbuild');
  const shared = { bundle: true, format: 'cjs', logLevel: 'warning', absWorkingDir: root };
  mkdirSync(out, { recursive: true });
  copyFileSync(path.join(root, 'assets', 'icon.png'), path.join(out, 'icon.png'));
  await Promise.all([
    esbuild.build({
      ...shared,
      // serve: the web shell, which starts in half the time of its sources. A worker thread starts from its own file.
      entryPoints: {
        index: 'main/index.ts',
        serve: 'main/commands/serve.ts',
        hashWorker: 'main/models/hashWorker.ts',
        grammarWorker: 'main/server/grammarWorker.ts',
      },
      outdir: out,
      outExtension: { '.js': '.cjs' },
      platform: 'node',
      target: 'node24',
      // The addon is loaded from where it was built; sources and bundle both lie two folders below the root.
      external: ['electron', '*.node'],
      define: {
        'import.meta.dirname': '__dirname',
        'import.meta.filename': '__filename',
        'import.meta.url': 'moduleUrl',
        // What the environment of the built app says does not count: only what is put in here.
        'process.env.NEMOFLASH_UPDATE_KEY': JSON.stringify(process.env.NEMOFLASH_UPDATE_KEY ?? ''),
      },
      banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
    }),
    esbuild.build({
      ...shared,
      entryPoints: { preload: 'main/preload.ts' },
      outdir: out,
      outExtension: { '.js': '.cjs' },
      platform: 'browser',
      target: 'chrome140',
      external: ['electron'],
    }),
  ]);
}

export async function buildPage() {
  const { build } = await import('vite');
  await build({ configFile: path.join(root, 'renderer', 'vite.config.ts'), logLevel: 'warn' });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  buildNotices();
  await Promise.all([buildMain(), buildPage()]);
}
