/** The Chromium behind the double: one process with a profile of its own, ended with the program that started it. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { chromiumFlags, chromiumPath } from '../browser.ts';
import { CdpConnection } from './cdp.ts';

export interface Chromium {
  readonly endpoint: string;
  readonly connection: CdpConnection;
  close(): void;
}

export async function startChromium(): Promise<Chromium> {
  if (chromiumPath === null) throw new Error('The double needs Chromium.');
  const profile = mkdtempSync(path.join(tmpdir(), 'electron-double-'));
  const flags = [
    ...chromiumFlags,
    '--headless',
    '--no-startup-window',
    '--remote-debugging-port=0',
    `--user-data-dir=${profile}`,
  ];
  const child = spawn(chromiumPath, flags, { stdio: ['ignore', 'ignore', 'pipe'] });
  const close = (): void => {
    child.kill('SIGKILL');
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  process.once('exit', close);
  const lines = createInterface(child.stderr);
  const endpoint = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`Chromium ended with code ${code} before it listened.`)));
    lines.on('line', (line) => {
      const address = /^DevTools listening on (ws:\S+)/.exec(line)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
  return { endpoint, connection: await CdpConnection.open(endpoint), close };
}
