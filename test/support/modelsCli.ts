/** `nemoflash models …` alone, to be run and killed as a process of its own by tests. */
import { writeFileSync } from 'node:fs';
import process from 'node:process';

import { Command } from 'commander';

import { register } from '../../main/commands/models.ts';

const program = new Command('nemoflash');
register(program);
await program.parseAsync(process.argv);

/** For measurements: what the whole process took, threads included. */
const usageFile = process.env['NEMOFLASH_USAGE_FILE'];
if (usageFile !== undefined) {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  writeFileSync(
    usageFile,
    JSON.stringify({ cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, maxRssBytes: maxRSS * 1024 }),
  );
}
