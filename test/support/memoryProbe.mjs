// node --expose-gc --import: at SIGUSR2 collects garbage, so that what is measured next is what is really held, and leaves
// the figures of the heap in the file NEMOFLASH_PROBE names, which appears whole.
import { renameSync, writeFileSync } from 'node:fs';

process.on('SIGUSR2', () => {
  // "last resort": V8 otherwise keeps the pages of what it collected, step by step up to a hundred megabytes.
  globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const file = process.env.NEMOFLASH_PROBE;
  writeFileSync(`${file}.new`, JSON.stringify(process.memoryUsage()));
  renameSync(`${file}.new`, file);
});
