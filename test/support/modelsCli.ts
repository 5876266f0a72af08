/** `nemoflash models …` alone, to be run and killed as a process of its own by tests. */
import process from 'node:process';

import { Command } from 'commander';

import { register } from '../../main/commands/models.ts';

const program = new Command('nemoflash');
register(program);
await program.parseAsync(process.argv);
