/** The command line: one file per command in commands/, errors as one sentence and an exit code. */
import process from 'node:process';

import { Command, CommanderError } from 'commander';

import { register as registerBench } from './commands/bench.ts';
import { register as registerChat } from './commands/chat.ts';
import { register as registerChats } from './commands/chats.ts';
import { register as registerDevices } from './commands/devices.ts';
import { register as registerGenerate } from './commands/generate.ts';
import { register as registerLogits } from './commands/logits.ts';
import { register as registerModels } from './commands/models.ts';
import { register as registerQuality } from './commands/quality.ts';
import { register as registerServe } from './commands/serve.ts';
import { AppError } from './contract/errors.ts';
import { version } from './version.ts';

/** Every command, not yet run. */
export function createProgram(): Command {
  const program = new Command('nemoflash')
    .description('Private, offline chat with NVIDIA Nemotron-Flash, at the speed of the hardware.')
    .version(version)
    .showHelpAfterError('Add --help for what this command takes.')
    .exitOverride();
  const registers = [
    registerChat,
    registerGenerate,
    registerServe,
    registerModels,
    registerChats,
    registerBench,
    registerLogits,
    registerQuality,
    registerDevices,
  ];
  for (const register of registers) register(program);
  for (const command of program.commands) command.exitOverride();
  return program;
}

/** Runs one command line, without program names. Gives the exit code: 0, 1 for failures, 2 for wrong use, 130 stopped. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof AppError)) throw error;
    if (args.includes('--json')) process.stdout.write(`${JSON.stringify({ error: error.info })}\n`);
    process.stderr.write(`${error.message}\n`);
    return error.code === 'CANCELLED' ? 130 : 1;
  }
}
