/** The two files of a batch: prompts to read, and answers that grow line by line and survive being cut off anywhere. */
import { createHash } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { z } from 'zod';

import { AppError } from '../contract/errors.ts';

const lineSchema = z.union([
  z.object({ prompt: z.string().min(1) }),
  z.object({
    messages: z.array(z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() }).strip()).min(1),
  }),
  z.object({ tokens: z.array(z.int().min(0)).min(1) }),
]);

export interface BatchPrompt {
  readonly index: number;
  /** The caller's name for it. */
  readonly id: string | number | null;
  /** Of the line, so that answers are never taken for those of other prompts. */
  readonly key: string;
  readonly content: z.output<typeof lineSchema>;
}

/** Throws NOT_FOUND, or BAD_ARGUMENT with the line that is wrong, before anything is answered. */
export async function readPrompts(file: string): Promise<readonly BatchPrompt[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new AppError('NOT_FOUND', `The prompts in ${file} cannot be read.`, { cause });
  });
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, index) => {
    const wrong = (what: string) => new AppError('BAD_ARGUMENT', `${file}, prompt ${index + 1}: ${what}.`);
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw wrong('not JSON');
    }
    const parsed = lineSchema.safeParse(value);
    if (!parsed.success) throw wrong('expected {"prompt": text}, {"messages": […]} or {"tokens": […]}');
    const { id } = value as { id?: unknown };
    return {
      index,
      id: typeof id === 'string' || typeof id === 'number' ? id : null,
      key: createHash('sha256').update(line.trim()).digest('hex').slice(0, 16),
      content: parsed.data,
    };
  });
}

const answerSchema = z.object({ index: z.int().min(0), key: z.string() });

/** Answers on disk, one JSON object a line, in the order in which they were finished. */
export class AnswerFile {
  readonly #handle: FileHandle;
  readonly #answered: ReadonlySet<number>;
  #writes: Promise<unknown> = Promise.resolve();

  private constructor(handle: FileHandle, answered: ReadonlySet<number>) {
    this.#handle = handle;
    this.#answered = answered;
  }

  /**
   * Opens or makes the file. A last line that was cut off is dropped. Throws BAD_ARGUMENT, and changes nothing, when it
   * holds anything but answers to these prompts.
   */
  static async open(file: string, prompts: readonly BatchPrompt[]): Promise<AnswerFile> {
    const handle = await open(file, 'a+').catch((cause: unknown) => {
      throw new AppError('DISK', `The answers cannot be written to ${file}.`, { cause });
    });
    try {
      const text = await handle.readFile('utf8');
      const whole = text.slice(0, text.lastIndexOf('\n') + 1);
      const answered = new Set<number>();
      whole.split('\n').forEach((line, at) => {
        if (line === '') return;
        const index = answeredIndex(line, prompts);
        if (index === null) {
          throw new AppError(
            'BAD_ARGUMENT',
            `${file}, line ${at + 1}, is no answer to these prompts. Name another file with --out, or remove it.`,
          );
        }
        answered.add(index);
      });
      if (whole.length < text.length) await handle.truncate(Buffer.byteLength(whole));
      return new AnswerFile(handle, answered);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  has(index: number): boolean {
    return this.#answered.has(index);
  }

  get count(): number {
    return this.#answered.size;
  }

  /** Settles when the line is with the system, where it outlives this process. */
  append(answer: object): Promise<void> {
    const write = this.#writes.then(async () => this.#handle.appendFile(`${JSON.stringify(answer)}\n`));
    this.#writes = write.catch(() => undefined);
    return write;
  }

  /** Puts everything on the disk. */
  async close(): Promise<void> {
    await this.#writes;
    await this.#handle.sync();
    await this.#handle.close();
  }
}

/** Which of the prompts this line answers; null for none. */
function answeredIndex(line: string, prompts: readonly BatchPrompt[]): number | null {
  try {
    const { index, key } = answerSchema.parse(JSON.parse(line));
    return prompts[index]?.key === key ? index : null;
  } catch {
    return null;
  }
}
