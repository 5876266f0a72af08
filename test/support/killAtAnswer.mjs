/**
 * Loaded into a program with NODE_OPTIONS=--import: kills it, as a power failure would, when the answers file that
 * NEMOFLASH_TEST_KILL names has its tenth line. From outside a busy machine would let it come to its end first.
 */
import { readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import process from 'node:process';

const file = process.env.NEMOFLASH_TEST_KILL;
const { open } = fs;
fs.open = async (name, ...rest) => {
  const handle = await open(name, ...rest);
  if (name !== file) return handle;
  const append = handle.appendFile.bind(handle);
  handle.appendFile = async (...line) => {
    await append(...line);
    if (readFileSync(file, 'utf8').split('\n').length > 10) process.kill(process.pid, 'SIGKILL');
  };
  return handle;
};
syncBuiltinESMExports();
