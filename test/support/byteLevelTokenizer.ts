/** A small tokenizer.json as real checkpoints have: byte-level BPE with a few merges, some of them inside characters. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** GPT-2's spelling of bytes as printable characters. */
function spellings(): readonly string[] {
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

const specials = ['<unk>', '<s>', '</s>'];
export const beginToken = 1;
export const endToken = 2;

/** Writes tokenizer.json (ids: 3 specials, 256 bytes, then merges) into a fresh folder, which it gives. */
export function writeByteLevelTokenizer(): string {
  const spelling = spellings();
  const spell = (text: string) => [...Buffer.from(text)].map((byte) => spelling[byte] ?? '');
  const [first = '', second = '', third = ''] = spell('€');
  // "€" is three bytes: the first two make one token, the third stays alone, as in real vocabularies.
  const merges: [string, string][] = [
    [first, second],
    ['U', 's'],
    ['Us', 'e'],
    ['Use', 'r'],
    ['h', 'e'],
    ['l', 'l'],
    ['he', 'll'],
    ['?', spelling[10] ?? ''],
  ];
  if (third === '') throw new Error('the euro sign has three bytes');
  const tokens = [...specials, ...spelling, ...merges.map(([left, right]) => left + right)];
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
  const begin = { id: '<s>', ids: [beginToken], tokens: ['<s>'] };
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map((content, id) => ({ id, content, ...flags })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens: { '<s>': begin },
    },
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
  const folder = mkdtempSync(path.join(tmpdir(), 'nemoflash-tokenizer-'));
  writeFileSync(path.join(folder, 'tokenizer.json'), JSON.stringify(json));
  writeFileSync(path.join(folder, 'tokenizer_config.json'), JSON.stringify({ bos_token: '<s>', eos_token: '</s>' }));
  return folder;
}
