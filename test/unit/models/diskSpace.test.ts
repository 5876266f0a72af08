import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { makeFolderSync } from '../../../main/makeFolder.ts';
import { errorFromDisk, freeBytesAt } from '../../../main/models/diskSpace.ts';

function freshFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'nemoflash-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What the user is told when `folder` cannot be made. */
function refusal(folder: string): string {
  try {
    makeFolderSync(folder);
  } catch (error) {
    return (errorFromDisk(error, folder) as Error).message;
  }
  return 'made';
}

test('a folder is made with all that is missing above it, also when it is there', () => {
  const folder = path.join(freshFolder(), 'a', 'b\nc');
  makeFolderSync(folder, 0o700);
  makeFolderSync(folder, 0o700);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(path.dirname(folder)).mode & 0o777).toBe(0o700);
});

test('a folder that cannot be is refused at once, in one line that says why', async () => {
  const file = path.join(freshFolder(), 'file');
  writeFileSync(file, '');
  expect(refusal(file)).toMatch(/is a file, or below one/);
  expect(refusal(path.join(file, 'x'))).toMatch(/is a file, or below one/);
  expect(refusal(path.join(tmpdir(), 'x'.repeat(300)))).toMatch(/too long a path/);
  const deep = path.join(tmpdir(), ...Array<string>(500).fill('two\nlines'));
  expect(refusal(deep)).toMatch(/too long a path/);
  expect(refusal(deep)).toMatch(/^.{1,260}$/);
  await expect(freeBytesAt(path.join(file, 'x'))).rejects.toThrow(/is a file, or below one/);
});

// Here Node's own recursive mkdir never comes back.
test.runIf(process.platform === 'linux')('a folder below /proc is refused at once', () => {
  expect(refusal('/proc/nothing/models')).toMatch(/cannot be made \(ENOENT\)/);
});
