// node --expose-gc --import: at SIGUSR2 collects garbage, so that what is measured next is what is really held, and leaves
// the figures of the heap in the file NEMOFLASH_PROBE names.
import { writeFileSync } from 'node:fs';

process.on('SIGUSR2', () => {
  globalThis.gc();
  globalThis.gc();
  writeFileSync(process.env.NEMOFLASH_PROBE, JSON.stringify(process.memoryUsage()));
});
