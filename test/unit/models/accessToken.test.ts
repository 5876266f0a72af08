import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { StoredToken } from '../../../main/models/accessToken.ts';
import type { Cipher } from '../../../main/models/accessToken.ts';
import { testHome } from '../../support/home.ts';

/** Turns every bit: not secret, but not the text either. */
const turned = (bytes: Uint8Array) => bytes.map((byte) => ~byte & 0xff);
const keyring: Cipher = {
  available: () => true,
  encrypt: (text) => turned(Buffer.from(text)),
  decrypt: (bytes) => Buffer.from(turned(bytes)).toString(),
};

beforeEach(() => vi.stubEnv('HF_TOKEN', undefined));
afterEach(() => vi.unstubAllEnvs());

test('without a secret store the token lasts as long as the program and reaches no disk', async () => {
  const file = path.join(testHome(), 'hub-token');
  for (const cipher of [null, { ...keyring, available: () => false }]) {
    const token = new StoredToken(file, cipher);
    expect(token.source()).toBe('none');
    expect(await token.set('hf_secret')).toBe(false);
    expect([token.get(), token.source()]).toEqual(['hf_secret', 'run']);
    expect(existsSync(file)).toBe(false);
    expect(new StoredToken(file, cipher).get()).toBeNull();
  }
});

test('with one it is there again after a restart, unreadable in its file, and can be forgotten', async () => {
  const file = path.join(testHome(), 'hub-token');
  expect(await new StoredToken(file, keyring).set('hf_secret')).toBe(true);
  const text = readFileSync(file, 'utf8');
  expect(text + Buffer.from(text, 'base64').toString()).not.toContain('hf_secret');
  const later = new StoredToken(file, keyring);
  expect([later.get(), later.source()]).toEqual(['hf_secret', 'stored']);
  await later.set(null);
  expect(existsSync(file)).toBe(false);
  expect([later.get(), later.source()]).toEqual([null, 'none']);
});

test('HF_TOKEN is used until another is set', async () => {
  vi.stubEnv('HF_TOKEN', 'hf_other');
  const token = new StoredToken(path.join(testHome(), 'hub-token'), null);
  expect([token.get(), token.source()]).toEqual(['hf_other', 'environment']);
  await token.set('hf_secret');
  expect(token.get()).toBe('hf_secret');
});

test('a file that the secret store cannot open is set aside', () => {
  const file = path.join(testHome(), 'hub-token');
  writeFileSync(file, 'AAAA');
  const decrypt = () => {
    throw new Error('another key');
  };
  expect(new StoredToken(file, { ...keyring, decrypt }).get()).toBeNull();
  expect(existsSync(`${file}.damaged`)).toBe(true);
});
