/** tokenizer.json as a hostile or broken repository could ship it: it opens, or is refused in words; nothing else. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { expect, it, onTestFinished } from 'vitest';

import { AppError } from '../../../main/contract/errors.ts';
import { openTokenizer } from '../../../main/engine/tokenizer.ts';
import { writeByteLevelTokenizer } from '../../support/byteLevelTokenizer.ts';
import { bend, bendBytes } from '../../support/fuzzFrames.ts';
import { removeFolder } from '../../support/home.ts';
import { randomOf } from '../../support/random.ts';

it('opens or refuses 600 bent tokenizer files, and what opens reads and writes text or refuses', () => {
  const folder = writeByteLevelTokenizer();
  onTestFinished(() => removeFolder(folder));
  const file = path.join(folder, 'tokenizer.json');
  const whole = readFileSync(file);
  const random = randomOf(20_261_126);
  let opened = 0;
  for (let count = 0; count < 600; count += 1) {
    let value: unknown = JSON.parse(whole.toString('utf8'));
    for (let times = 1 + random.below(3); times > 0; times -= 1) value = bend(value, random);
    const text = Buffer.from(JSON.stringify(value));
    writeFileSync(file, random.below(4) === 0 ? bendBytes(text, random) : text);
    try {
      const tokenizer = openTokenizer({ source: folder, vocab: 267, endTokens: [] });
      opened += 1;
      tokenizer.decode(tokenizer.encode('Where is New York? é€😀'));
      tokenizer.bytes(300);
    } catch (error) {
      expect(error).toBeInstanceOf(AppError);
      expect(error).toMatchObject({ code: 'BAD_MODEL' });
    }
  }
  expect(opened).toBeGreaterThan(20);
});
