import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { contentSecurityPolicy, readPageFile } from '../../../main/page.ts';
import { freshFolder, removeFolder } from '../../support/home.ts';

const none = "'none'";
let folder: string;
let root: string;

beforeAll(() => {
  folder = freshFolder('page');
  root = path.join(folder, 'page');
  mkdirSync(path.join(root, 'assets'), { recursive: true });
  mkdirSync(path.join(folder, 'page-secrets'));
  for (const file of ['page/index.html', 'page/assets/a.js', 'page/notes.txt', 'secret.html', 'page-secrets/s.html']) {
    writeFileSync(path.join(folder, file), `content of ${file}`);
  }
  symlinkSync(path.join(folder, 'secret.html'), path.join(root, 'link.html'));
  symlinkSync(path.join(root, 'index.html'), path.join(root, 'inner.html'));
  symlinkSync(folder, path.join(root, 'up'));
});
afterAll(() => removeFolder(folder));

describe('files of the page', () => {
  it.each([
    ['/', 'page/index.html', 'text/html; charset=utf-8'],
    ['/index.html', 'page/index.html', 'text/html; charset=utf-8'],
    ['/assets/a.js', 'page/assets/a.js', 'text/javascript; charset=utf-8'],
    ['/assets/../index.html', 'page/index.html', 'text/html; charset=utf-8'],
    ['/inner.html', 'page/index.html', 'text/html; charset=utf-8'],
  ])('serves %s', async (url, file, type) => {
    const found = await readPageFile(root, url, none);
    expect(found?.body.toString()).toBe(`content of ${file}`);
    expect(found?.headers).toMatchObject({ 'content-type': type, 'x-content-type-options': 'nosniff' });
  });

  it.each([
    '/missing.html',
    '/assets',
    '/assets/',
    '/notes.txt',
    '/../secret.html',
    '/%2e%2e/secret.html',
    '/..%2fsecret.html',
    '/..%5csecret.html',
    '/..\\secret.html',
    '/assets/../../secret.html',
    '/../page-secrets/s.html',
    '/link.html',
    '/up/secret.html',
    '/index.html%00.js',
    '/%zz.html',
    '/index.html/x.js',
    '//etc/x.html',
  ])('has nothing at %s', async (url) => {
    expect(await readPageFile(root, url, none)).toBeNull();
  });

  it('allows nothing by default, nothing inline, and one place to connect to', () => {
    const policy = contentSecurityPolicy('ws://127.0.0.1:4000');
    expect(policy).toMatch(/^default-src 'none';/);
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(policy).toContain('connect-src ws://127.0.0.1:4000;');
  });
});
