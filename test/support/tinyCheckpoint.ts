/** A whole small checkpoint as a hub would serve it: the golden weights, a tokenizer that covers them, a card, a licence. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const golden = path.resolve(import.meta.dirname, '..', 'golden', 'tiny');
const vocab = 512;

/** GPT-2's spelling of bytes as printable characters. */
function spellings(): string[] {
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
}

/** Ids 0 to 2 are special, the next 256 are the bytes, the rest are words that no text becomes but the model may say. */
function tokenizerJson(): object {
  const specials = ['<unk>', '<s>', '</s>'];
  const words = Array.from({ length: vocab - 259 }, (_, index) => `Ġword${index}`);
  const tokens = [...specials, ...spellings(), ...words];
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map((content, id) => ({ id, content, ...flags })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
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
      merges: [],
    },
  };
}

/** Writes the checkpoint into a folder, which is made. */
export function writeTinyCheckpoint(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const file of ['config.json', 'generation_config.json', 'model.safetensors']) {
    copyFileSync(path.join(golden, file), path.join(folder, file));
  }
  const write = (name: string, text: string) => writeFileSync(path.join(folder, name), text);
  write('tokenizer.json', JSON.stringify(tokenizerJson()));
  write('tokenizer_config.json', JSON.stringify({ bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }));
  write('README.md', '---\nlicense: other\nlicense_name: test-licence\n---\n# A tiny model\n');
  write('LICENSE', 'The weights are random. Do with them what you like.\n');
}
