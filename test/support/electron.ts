/** Electron itself, driven by Playwright; where its program is not installed, its suite is skipped by name. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { _electron } from 'playwright-core';

import { collectProblems } from './browser.ts';
import { askBridge } from './shells.ts';
import type { ShellKind } from './shells.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
const folder = path.join(root, 'node_modules', 'electron');

function findElectron(): string | null {
  const note = path.join(folder, 'path.txt');
  if (!existsSync(note)) return null;
  const program = path.join(folder, 'dist', readFileSync(note, 'utf8').trim());
  return existsSync(program) ? program : null;
}

const program = findElectron();
const hasDisplay = process.platform !== 'linux' || Boolean(process.env['DISPLAY'] ?? process.env['WAYLAND_DISPLAY']);
const reason =
  program === null ? 'Electron is not installed; run npx install-electron' : 'there is no display; try xvfb-run';

export const realElectron: ShellKind = {
  title: program !== null && hasDisplay ? 'Electron' : `Electron [skipped: ${reason}]`,
  skipped: program === null || !hasDisplay,
  ownsWindow: true,
  async start({ home, args = [], env = {} }) {
    const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    const app = await _electron.launch({
      executablePath: program ?? '',
      args: [...asRoot, root, '--home', home, ...args],
      env: { ...(process.env as Record<string, string>), ...env },
    });
    await app.evaluate(({ shell }) => {
      const opened: string[] = [];
      Object.assign(globalThis, { openedOutside: opened });
      shell.openExternal = async (url: string) => void opened.push(url);
    });
    const page = await app.firstWindow();
    return {
      page,
      problems: collectProblems(page),
      openedOutside: () => app.evaluate(() => (globalThis as unknown as { openedOutside: string[] }).openedOutside),
      ask: (route, input) => askBridge(page, route, input),
      close: () => app.close(),
    };
  },
};
