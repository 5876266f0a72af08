// node --expose-gc --import: at SIGUSR2 collects garbage, so that what is measured next is what is really held, and leaves
// the figures of the heap in the file NEMOFLASH_PROBE names.
import { writeFileSync } from 'node:fs';

process.on('SIGUSR2', () => {
  // "last resort": V8 otherwise keeps the pages of what it collected, step by step up to a hundred megabytes.
  globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  writeFileSync(process.env.NEMOFLASH_PROBE, JSON.stringify(process.memoryUsage()));
});
