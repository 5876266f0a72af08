import { expect, test } from 'vitest';

import {
  assertSafeNames,
  isNeeded,
  repoFolderName,
  repoOfFolderName,
  unsafeReason,
} from '../../../main/models/repoFiles.ts';

test.each([
  '../config.json',
  'a/../../b',
  '/etc/passwd',
  'a//b',
  'a\\b',
  'C:name',
  'nul.safetensors',
  'COM1',
  'name.',
  'name ',
  'line\nbreak',
  'x'.repeat(256),
  '',
])('%j is refused', (name) => {
  expect(unsafeReason(name)).toMatch(/\w/);
  expect(() => assertSafeNames(['config.json', name])).toThrowError(expect.objectContaining({ code: 'UNSAFE_NAME' }));
});

test('names that a case-blind or composing disk would take for one are refused together', () => {
  expect(() => assertSafeNames(['README.md', 'readme.MD'])).toThrow('one file');
  expect(() => assertSafeNames(['caf\u00e9', 'cafe\u0301'])).toThrow('one file');
  expect(() => assertSafeNames(['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'])).not.toThrow();
});

test('only data is needed, never code', () => {
  for (const name of ['config.json', 'model-00001-of-00002.safetensors', 'LICENSE', 'tokenizer.json'])
    expect(isNeeded(name), name).toBe(true);
  for (const name of ['modeling_x.py', 'pytorch_model.bin', 'sub/model.safetensors', '.gitattributes', 'model.pt'])
    expect(isNeeded(name), name).toBe(false);
});

test('a repository and its folder name each other', () => {
  expect(repoFolderName('nvidia/Nemotron-Flash-3B')).toBe('models--nvidia--Nemotron-Flash-3B');
  expect(repoOfFolderName('models--nvidia--Nemotron-Flash-3B')).toBe('nvidia/Nemotron-Flash-3B');
  for (const name of ['nvidia', 'a/b/c', '../b', 'nul/x', 'a/..']) expect(() => repoFolderName(name), name).toThrow();
});
