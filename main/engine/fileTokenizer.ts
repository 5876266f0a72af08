/** The tokenizer of a checkpoint: tokenizer.json and tokenizer_config.json. Only user of @huggingface/tokenizers. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';

import { AppError } from '../contract/errors.ts';
import type { Tokenizer } from './engineApi.ts';

/** What decides how the tokens of a vocabulary spell bytes. */
interface TokenizerJson {
  readonly decoder?: { readonly type?: string; readonly decoders?: readonly { readonly type?: string }[] } | null;
}

const utf8 = new TextEncoder();

/** GPT-2's reversible spelling of bytes as printable characters, reversed. */
function byteOfCharacter(): ReadonlyMap<string, number> {
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  return new Map(bytes.map((byte) => [String.fromCodePoint(printable(byte) ? byte : next++), byte]));
}

function readJson(file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw new Error('it holds no JSON object');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('BAD_MODEL', `${file} cannot be read: ${reason}. Verify the model, or download it again.`, {
      cause,
    });
  }
}

function isByteLevel({ decoder }: TokenizerJson): boolean {
  return decoder?.type === 'ByteLevel' || (decoder?.decoders ?? []).some(({ type }) => type === 'ByteLevel');
}

class FileTokenizer implements Tokenizer {
  readonly endTokens: readonly number[];
  readonly #library: LibraryTokenizer;
  readonly #byteOf: ReadonlyMap<string, number> | null;
  readonly #added: ReadonlyMap<number, { readonly content: string }>;

  constructor(library: LibraryTokenizer, byteLevel: boolean, endTokens: readonly number[]) {
    this.#library = library;
    this.#byteOf = byteLevel ? byteOfCharacter() : null;
    this.#added = library.get_added_tokens_decoder();
    this.endTokens = endTokens;
  }

  encode(text: string, options: { readonly addSpecialTokens?: boolean } = {}): Int32Array {
    return understood(() => {
      const { ids } = this.#library.encode(text, { add_special_tokens: options.addSpecialTokens ?? false });
      return Int32Array.from(ids);
    });
  }

  decode(tokens: readonly number[] | Int32Array): string {
    const bytes = Array.from(tokens, (token) => this.bytes(token));
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(bytes));
  }

  bytes(token: number): Uint8Array {
    const added = this.#added.get(token);
    if (added !== undefined) return utf8.encode(added.content);
    return understood(() => {
      const spelling = this.#library.id_to_token(token);
      if (spelling === undefined) return new Uint8Array(0);
      return this.#byteOf === null ? sentencePieceBytes(spelling) : byteLevelBytes(spelling, this.#byteOf);
    });
  }
}

/** The library takes some damaged files without a word and fails later, at the first text that meets the damage. */
function understood<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const advice = 'Verify the model, or download it again.';
    throw new AppError('BAD_MODEL', `The model's tokenizer.json does not hold together. ${advice}`, { cause });
  }
}

function byteLevelBytes(spelling: string, byteOf: ReadonlyMap<string, number>): Uint8Array {
  const bytes: number[] = [];
  for (const character of spelling) {
    const byte = byteOf.get(character);
    // Characters outside the alphabet stand for themselves.
    if (byte === undefined) bytes.push(...utf8.encode(character));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** SentencePiece writes a space as U+2581, and bytes without a token of their own as <0xNN>. */
function sentencePieceBytes(spelling: string): Uint8Array {
  const byte = /^<0x([0-9A-F]{2})>$/.exec(spelling)?.[1];
  return byte === undefined ? utf8.encode(spelling.replaceAll('\u2581', ' ')) : Uint8Array.of(parseInt(byte, 16));
}

/** Throws BAD_MODEL when the files are damaged. A missing tokenizer_config.json means its defaults. */
export function openFileTokenizer(folder: string, endTokens: readonly number[]): Tokenizer {
  const file = path.join(folder, 'tokenizer.json');
  const configFile = path.join(folder, 'tokenizer_config.json');
  const json = readJson(file);
  const config = existsSync(configFile) ? readJson(configFile) : {};
  try {
    return new FileTokenizer(new LibraryTokenizer(json, config), isByteLevel(json), endTokens);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('BAD_MODEL', `${file} is no tokenizer that Nemoflash can use: ${reason}.`, { cause });
  }
}
