/** `nemoflash generate`: continues a text, or token ids, exactly as given. */
import process from 'node:process';

import type { Command } from 'commander';

import { AppError } from '../contract/errors.ts';
import type { EngineService, Prompt } from '../engine/engineApi.ts';
import { answer } from './answer.ts';
import { generateBatch } from './batch.ts';
import { addSamplingOptions, samplingOf } from './sampling.ts';
import type { SamplingFlags } from './sampling.ts';
import { readTextFile, readTokenIds } from './tokenIds.ts';
import { addModelOptions, withEngine } from './withEngine.ts';
import type { ModelOptions } from './withEngine.ts';

interface GenerateOptions extends ModelOptions, SamplingFlags {
  readonly prompt?: string;
  readonly promptFile?: string;
  readonly ids?: string;
  readonly batch?: string;
  readonly out?: string;
  readonly ignoreEnd: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('generate')
    .description('Continue a text as it is, without the turns of a chat.')
    .option('--prompt <text>', 'the text')
    .option('--prompt-file <file>', 'a file with the text')
    .option('--ids <file>', 'a JSON array of token ids instead of a text; needs no tokenizer files')
    .option(
      '--batch <file>',
      'prompts as JSON lines: {"prompt": text}, {"messages": […]} or {"tokens": […]}, each with an "id" if you like',
    )
    .option(
      '--out <file>',
      'with --batch: where answers go as JSON lines; what is answered there already is not asked again',
    )
    .option('--ignore-end', 'go on past end tokens', false);
  addSamplingOptions(addModelOptions(command)).action((options: GenerateOptions) => generate(options));
}

async function generate(options: GenerateOptions): Promise<void> {
  const given = [options.prompt, options.promptFile, options.ids, options.batch].filter((value) => value !== undefined);
  if (given.length !== 1) {
    throw new AppError('BAD_ARGUMENT', 'Give the prompt once: with --prompt, --prompt-file, --ids or --batch.');
  }
  const { batch, out } = options;
  const sampling = samplingOf(options);
  if ((batch === undefined) !== (out === undefined)) {
    throw new AppError('BAD_ARGUMENT', '--batch needs --out, the file for the answers, and --out needs --batch.');
  }
  if (batch !== undefined && out !== undefined) {
    const { ignoreEnd, json } = options;
    return withEngine({ ...options, standInTokenizer: true }, (engine, signal) =>
      generateBatch(engine, { batch, out, sampling, ignoreEnd, json }, signal),
    );
  }
  const ids = options.ids === undefined ? null : await readTokenIds(options.ids);
  const text = options.promptFile === undefined ? options.prompt : await readTextFile(options.promptFile);
  const withStandIn = { ...options, standInTokenizer: ids !== null };
  await withEngine(withStandIn, (engine, signal) =>
    answer(
      engine,
      {
        prompt: promptOf(engine, ids, text ?? ''),
        sampling,
        ignoreEnd: options.ignoreEnd,
        signal,
      },
      { json: options.json, out: process.stdout },
    ),
  );
}

function promptOf(engine: EngineService, ids: Int32Array | null, text: string): Prompt {
  if (ids !== null) return { tokens: ids, boundaries: [ids.length] };
  return engine.prompt([{ role: 'user', content: text }], 'raw');
}
