/** A fresh home folder for one test, removed when the test file is done. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { onTestFinished } from 'vitest';

export function freshFolder(name = 'home'): string {
  return mkdtempSync(path.join(tmpdir(), `nemoflash-${name}-`));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Within a test. */
export function testHome(): string {
  const folder = freshFolder();
  onTestFinished(() => removeFolder(folder));
  return folder;
}
