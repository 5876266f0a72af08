/** Text to token ids and back, for the model that is loaded. */
import { existsSync } from 'node:fs';
import path from 'node:path';

import { AppError } from '../contract/errors.ts';
import type { Tokenizer } from './engineApi.ts';
import { openFileTokenizer } from './fileTokenizer.ts';
import { createStandInTokenizer } from './standInTokenizer.ts';

export interface TokenizerSource {
  /** A folder in Hugging Face layout, or synthetic:NAME. */
  readonly source: string;
  /** Number of token ids of the model. */
  readonly vocab: number;
  readonly endTokens: readonly number[];
  /** Made-up words for a folder that has no tokenizer. */
  readonly standIn?: boolean | undefined;
}

export const tokenizerFile = 'tokenizer.json';

/** The tokenizer of a model folder, read now. Throws TOKENIZER_MISSING or BAD_MODEL, naming the file. */
export function openTokenizer({ source, vocab, endTokens, standIn }: TokenizerSource): Tokenizer {
  if (source.startsWith('synthetic:')) return createStandInTokenizer(vocab, endTokens);
  const file = path.join(source, tokenizerFile);
  if (existsSync(file)) return openFileTokenizer(source, endTokens);
  if (standIn) return createStandInTokenizer(vocab, endTokens);
  throw new AppError(
    'TOKENIZER_MISSING',
    `${file} is missing, so text cannot be turned into tokens. Copy ${tokenizerFile} and tokenizer_config.json of the ` +
      'model into this folder, or download the model again.',
  );
}
