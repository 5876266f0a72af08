/** Making a folder and those above it, where Node's own recursive mkdir may never come back. */
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes `folder` and what is missing above it, with `mode`. Throws what the system says, at once. Node's recursive mkdir
 * goes round for ever where a folder exists and what lies in it cannot (/proc).
 */
export function makeFolderSync(folder: string, mode = 0o777): void {
  try {
    makeOne(folder, mode);
  } catch (error) {
    const parent = path.dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === folder) throw error;
    makeFolderSync(parent, mode);
    makeOne(folder, mode);
  }
}

/** Another process may make it at the same moment. */
function makeOne(folder: string, mode: number): void {
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !statSync(folder).isDirectory()) throw error;
  }
}
