/** Reads token ids from a JSON file. */
import { readFile } from 'node:fs/promises';

import { AppError } from '../contract/errors.ts';

/** A JSON array of whole numbers from 0 on. Throws NOT_FOUND or BAD_ARGUMENT, naming the file and the first bad id. */
export async function readTokenIds(file: string): Promise<Int32Array> {
  const ids = parseJson(file, await readTextFile(file));
  if (!Array.isArray(ids) || ids.length === 0) {
    throw new AppError('BAD_ARGUMENT', `${file}: expected a JSON array of token ids, such as [1, 22, 333].`);
  }
  const wrong = ids.findIndex((id) => !Number.isInteger(id) || id < 0 || id > 0x7fffffff);
  if (wrong >= 0) {
    throw new AppError(
      'BAD_ARGUMENT',
      `${file}: entry ${wrong} is ${JSON.stringify(ids[wrong])}; token ids are whole numbers from 0 on.`,
    );
  }
  return Int32Array.from(ids as number[]);
}

/** Throws NOT_FOUND. */
export async function readTextFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new AppError('NOT_FOUND', `${file} cannot be read (${reason}).`, { cause });
  }
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('BAD_ARGUMENT', `${file} is no JSON: ${(cause as Error).message}.`, { cause });
  }
}
