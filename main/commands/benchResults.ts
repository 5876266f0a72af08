/** The file of everything that `nemoflash bench` measured: a JSON object per line, with machine and build. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

import { AppError } from '../contract/errors.ts';
import { addonFile } from '../engine/addon.ts';
import { engineBuildOf } from '../metrics/environment.ts';
import { version } from '../version.ts';

const repository = path.resolve(import.meta.dirname, '..', '..');

/** Of the sources that this runs from, marked when they differ from it; null in an installed app. */
async function commitOf(folder: string): Promise<string | null> {
  if (!existsSync(path.join(folder, '.git'))) return null;
  try {
    const { stdout } = await promisify(execFile)('git', ['describe', '--always', '--dirty', '--abbrev=12'], {
      cwd: folder,
    });
    return stdout.trim();
  } catch {
    return null; // no git here: the engine's build still says what ran
  }
}

/** Adds the rows to the file, which is made if need be. Throws DISK. */
export async function appendResults(file: string, rows: readonly object[]): Promise<void> {
  const about = {
    at: new Date().toISOString(),
    app_version: version,
    engine_build: await engineBuildOf(addonFile),
    commit: await commitOf(repository),
    machine: {
      platform: `${process.platform}-${process.arch}`,
      cpu: os.cpus()[0]?.model ?? 'unknown',
      n_logical_cpus: os.cpus().length,
      memory_bytes: os.totalmem(),
    },
  };
  try {
    await appendFile(file, rows.map((row) => `${JSON.stringify({ ...about, ...row })}\n`).join(''), { mode: 0o600 });
  } catch (error) {
    throw new AppError('DISK', `${file}: the results could not be kept: ${(error as Error).message}`);
  }
}
