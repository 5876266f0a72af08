/** `nemoflash generate --batch`: many prompts through the engine at once, answers to a file, to be resumed at any time. */
import process from 'node:process';

import { AppError } from '../contract/errors.ts';
import type { PromptFormat, SamplingOptions } from '../contract/domain.ts';
import { maxSeed } from '../contract/domain.ts';
import type { EngineService, GenerateResult, Prompt } from '../engine/engineApi.ts';
import { toAppError } from '../engine/engineError.ts';
import { AnswerFile, readPrompts } from './batchFiles.ts';
import type { BatchPrompt } from './batchFiles.ts';

/** As many as the engine can carry, and a few behind them that are ready when one ends. */
const inFlight = 80;
const reportMs = { terminal: 250, other: 5000 };

export interface BatchOptions {
  readonly batch: string;
  readonly out: string;
  readonly sampling: SamplingOptions;
  readonly ignoreEnd: boolean;
  readonly json: boolean;
}

class Progress {
  readonly #total: number;
  readonly #before: number;
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  answered = 0;
  failed = 0;
  tokens = 0;

  constructor(total: number, before: number) {
    this.#total = total;
    this.#before = before;
    const everyMs = process.stderr.isTTY ? reportMs.terminal : reportMs.other;
    this.#timer = setInterval(() => this.#print(process.stderr.isTTY ? '\r' : '\n'), everyMs);
  }

  get summary() {
    const seconds = (performance.now() - this.#startedMs) / 1000;
    return {
      prompts: this.#total,
      answered: this.answered,
      answered_before: this.#before,
      failed: this.failed,
      output_tokens: this.tokens,
      seconds,
      tokens_per_s: this.tokens / seconds,
    };
  }

  end(): void {
    clearInterval(this.#timer);
    this.#print('\n');
  }

  #print(end: string): void {
    const { tokens_per_s } = this.summary;
    const done = this.#before + this.answered + this.failed;
    process.stderr.write(`${done} of ${this.#total} prompts, ${tokens_per_s.toFixed(1)} tokens/s   ${end}`);
  }
}

function promptOf(engine: EngineService, { content }: BatchPrompt, format: PromptFormat): Prompt {
  if ('tokens' in content) return { tokens: Int32Array.from(content.tokens), boundaries: [content.tokens.length] };
  if ('messages' in content) return engine.prompt(content.messages, format);
  return engine.prompt([{ role: 'user', content: content.prompt }], 'raw');
}

const answerLine = ({ index, id, key }: BatchPrompt, { text, stats }: GenerateResult): object => ({
  ...{ index, id, key, text },
  finish_reason: stats.finishReason,
  prompt_tokens: stats.promptTokens,
  output_tokens: stats.outputTokens,
  seed: stats.seed,
});

/** Answers every prompt that the file has no answer to. What one prompt does wrong is noted, and the others go on. */
export async function generateBatch(engine: EngineService, options: BatchOptions, signal: AbortSignal): Promise<void> {
  const prompts = await readPrompts(options.batch);
  const answers = await AnswerFile.open(options.out, prompts);
  const left = prompts.filter(({ index }) => !answers.has(index));
  const progress = new Progress(prompts.length, answers.count);
  const { sampling, ignoreEnd } = options;
  const answer = async (prompt: BatchPrompt): Promise<void> => {
    // Of its own for each prompt, and the same after a resumption.
    const seed = sampling.seed === null ? null : (sampling.seed + prompt.index) % (maxSeed + 1);
    try {
      const result = await engine.generate({
        ...{
          prompt: promptOf(engine, prompt, sampling.promptFormat),
          sampling: { ...sampling, seed },
          ignoreEnd,
          signal,
        },
        onFrame: ({ tokens }) => (progress.tokens += tokens.length),
      });
      if (result.stats.finishReason === 'cancelled') return;
      await answers.append(answerLine(prompt, result));
      progress.answered += 1;
    } catch (error) {
      const { code, info } = toAppError(error);
      if (code !== 'BAD_ARGUMENT' && code !== 'CONTEXT_FULL') throw error;
      await answers.append({ index: prompt.index, id: prompt.id, key: prompt.key, error: info });
      progress.failed += 1;
    }
  };
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined && !signal.aborted; next = left.shift()) await answer(next);
  };
  try {
    await Promise.all(Array.from({ length: Math.min(inFlight, left.length) }, worker));
  } finally {
    progress.end();
    await answers.close();
  }
  if (options.json) process.stdout.write(`${JSON.stringify(progress.summary)}\n`);
  if (signal.aborted) throw new AppError('CANCELLED', 'Stopped. Run the same command again to go on.');
  if (progress.failed > 0) {
    throw new AppError('BAD_ARGUMENT', `${progress.failed} prompts were refused; the answers file says why.`);
  }
}
