import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { expect, test } from 'vitest';

import { PartState } from '../../../main/models/partState.ts';
import { testHome } from '../../support/home.ts';

const content = { sizeBytes: 1000, sha256: 'a'.repeat(64), gitOid: 'b'.repeat(40) };

function halfDone(): PartState {
  const state = PartState.fresh(content, 300);
  for (const [index, doneBytes] of [300, 120, 0, 100].entries()) {
    const part = state.parts[index];
    if (part) Object.assign(part, { doneBytes, crc: index + 7 });
  }
  return state;
}

test('what was saved is what is loaded, its own part size included', async () => {
  const file = path.join(testHome(), 'x.parts');
  const saved = halfDone();
  await PartState.save(file, saved.snapshot());
  const loaded = await PartState.load(file, content);
  expect(loaded?.snapshot()).toBe(saved.snapshot());
  expect(loaded).toMatchObject({ partBytes: 300, doneBytes: 520, complete: false, frontier: 420 });
});

test('a state of another content is not believed', async () => {
  const file = path.join(testHome(), 'x.parts');
  await PartState.save(file, halfDone().snapshot());
  expect(await PartState.load(file, { ...content, sha256: 'c'.repeat(64) })).toBeNull();
  expect(await PartState.load(file, { ...content, sizeBytes: 1001 })).toBeNull();
  expect(existsSync(file)).toBe(true);
});

test.each([
  ['cut short', (text: string) => text.slice(0, 40)],
  ['more done than a part holds', (text: string) => text.replace('[300,', '[301,')],
  ['a part missing', (text: string) => text.replace('[300,120,0,100]', '[300,120,0]')],
  ['a negative size', (text: string) => text.replace('"partBytes":300', '"partBytes":-300')],
  ['another version', (text: string) => text.replace('"version":1', '"version":2')],
])('a state with %s is set aside', async (_name, damage) => {
  const file = path.join(testHome(), 'x.parts');
  const text = halfDone().snapshot();
  expect(damage(text)).not.toBe(text);
  writeFileSync(file, damage(text));
  expect(await PartState.load(file, content)).toBeNull();
  expect(existsSync(file)).toBe(false);
  expect(existsSync(`${file}.damaged`)).toBe(true);
});
