/** `nemoflash chat`: one question, the answer streamed to stdout. */
import process from 'node:process';

import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';

import type { PromptMessage } from '../engine/engineApi.ts';
import { answer } from './answer.ts';
import { addSamplingOptions, samplingOf } from './sampling.ts';
import type { SamplingFlags } from './sampling.ts';
import { addModelOptions, withEngine } from './withEngine.ts';
import type { ModelOptions } from './withEngine.ts';

interface ChatOptions extends ModelOptions, SamplingFlags {
  readonly system?: string;
}

export function register(program: Command): void {
  const command = program
    .command('chat')
    .description('Ask one question; the answer streams to standard output.')
    .argument('<question>', 'what to ask', (text: string) => {
      if (text.trim() === '') throw new InvalidArgumentError('Ask something.');
      return text;
    })
    .option('--system <text>', 'what the model is told first');
  addSamplingOptions(addModelOptions(command)).action((question: string, options: ChatOptions) => {
    const sampling = samplingOf(options);
    return withEngine(options, (engine, signal) => {
      const messages: readonly PromptMessage[] = [
        ...(options.system ? [{ role: 'system', content: options.system } as const] : []),
        { role: 'user', content: question },
      ];
      const prompt = engine.prompt(messages, sampling.promptFormat);
      return answer(engine, { prompt, sampling, signal }, { json: options.json, out: process.stdout });
    });
  });
}
