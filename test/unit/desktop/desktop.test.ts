import { EventEmitter } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import type { Session } from 'electron';

import type { NetworkRequest } from '../../../main/contract/domain.ts';
import { linkIn, readLink } from '../../../main/desktop/links.ts';
import { noteDictionaries } from '../../../main/desktop/spelling.ts';
import { readStartSettings } from '../../../main/desktop/startSettings.ts';
import { fitTo, readWindowState, saveWindowState } from '../../../main/desktop/windowState.ts';
import { testHome } from '../../support/home.ts';

describe('nemoflash: links', () => {
  it('open the page of a model', () => {
    const page = { page: 'models', repo: 'nvidia/Nemotron-Flash-3B' };
    expect(readLink('nemoflash://models/nvidia/Nemotron-Flash-3B')).toEqual(page);
    expect(linkIn(['/usr/bin/nemoflash', '--no-sandbox', 'NEMOFLASH://models/nvidia/Nemotron-Flash-3B/'])).toEqual(
      page,
    );
  });

  it.each([
    'nemoflash://settings',
    'nemoflash://models/nvidia',
    'nemoflash://models/../../etc',
    'nemoflash://models/a/b/c',
    'nemoflash://models/a/b?download=1',
    'nemoflash://models/a%2Fb/c',
    'nemoflash://models/a/b\nnemoflash://models/c/d',
    'https://models/a/b',
    'nemoflash:models/a/b',
  ])('do nothing else: %j', (link) => {
    expect(readLink(link)).toBeNull();
  });
});

describe("the window's place", () => {
  const screens = [
    { x: 0, y: 0, width: 1920, height: 1080 },
    { x: 1920, y: 0, width: 1280, height: 1024 },
  ];
  it.each([
    ['on the first screen', { x: 10, y: 10, width: 900, height: 600 }, { x: 10, y: 10, width: 900, height: 600 }],
    ['on the second', { x: 2000, y: 0, width: 900, height: 600 }, { x: 2000, y: 0, width: 900, height: 600 }],
    ['larger than its screen', { x: 0, y: 0, width: 4000, height: 3000 }, { x: 0, y: 0, width: 1920, height: 1080 }],
    ['on a screen that is gone', { x: 5000, y: 0, width: 900, height: 600 }, null],
    ['above the top edge', { x: 0, y: -300, width: 900, height: 600 }, null],
    ['hardly on the screen', { x: -880, y: 0, width: 900, height: 600 }, null],
  ])('%s', (_name, bounds, fitted) => {
    expect(fitTo(bounds, screens)).toEqual(fitted);
  });

  it('is remembered, and forgotten when the file makes no sense', () => {
    const file = path.join(testHome(), 'window.json');
    const state = { bounds: { x: 1, y: 2, width: 900, height: 600 }, maximized: true };
    saveWindowState(file, state);
    expect(readWindowState(file, screens)).toEqual(state);
    for (const text of ['', '[]', '{"bounds":{"x":"1"}}', '{"bounds":{"x":1e300,"y":0,"width":1,"height":1}}']) {
      writeFileSync(file, text);
      expect(readWindowState(file, screens)).toEqual({ bounds: null, maximized: false });
    }
  });
});

describe('what is read before the window', () => {
  it('has its usual values wherever the file makes no sense', () => {
    const file = path.join(testHome(), 'settings.json');
    const usual = { tray: false, softwareRendering: false, spellCheck: false, theme: 'system' };
    expect(readStartSettings(file)).toEqual(usual);
    for (const text of ['', '7', '{"desktop":[],"theme":"pink"}', '{"desktop":{"tray":"yes"}}']) {
      writeFileSync(file, text);
      expect(readStartSettings(file)).toEqual(usual);
    }
    writeFileSync(file, '{"desktop":{"tray":true,"softwareRendering":true},"theme":"dark"}');
    expect(readStartSettings(file)).toEqual({ ...usual, tray: true, softwareRendering: true, theme: 'dark' });
  });

  it.skipIf(process.platform === 'darwin')('checks no spelling under "never use the network"', () => {
    const file = path.join(testHome(), 'settings.json');
    writeFileSync(file, '{"desktop":{"spellCheck":true}}');
    expect(readStartSettings(file).spellCheck).toBe(true);
    writeFileSync(file, '{"desktop":{"spellCheck":true},"hub":{"offline":true}}');
    expect(readStartSettings(file).spellCheck).toBe(false);
  });
});

it('a dictionary that Chromium fetches comes into the list of requests', () => {
  const session = new EventEmitter();
  const noted: NetworkRequest[] = [];
  noteDictionaries(session as unknown as Session, (request) => noted.push(request));
  session.emit('spellcheck-dictionary-download-begin', {}, 'de-DE');
  session.emit('spellcheck-dictionary-download-success', {}, 'de-DE');
  session.emit('spellcheck-dictionary-download-failure', {}, 'fr');
  expect(noted).toMatchObject([
    { purpose: 'dictionary', problem: null },
    { purpose: 'dictionary', problem: 'failed' },
  ]);
});
