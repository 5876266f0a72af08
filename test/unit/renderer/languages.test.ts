import { describe, expect, it } from 'vitest';

import { englishApi } from '../../../renderer/apiStrings.ts';
import { german } from '../../../renderer/german.ts';
import { germanApi } from '../../../renderer/germanApi.ts';
import { languageOf } from '../../../renderer/language.ts';
import { english } from '../../../renderer/strings.ts';

/** What a function may want: numbers, lists, the plan of a benchmark, the name of a row and a size. */
const plan = { decodeTokens: 2, prefillTokens: [3], sequences: [4], sequenceTokens: 5, repetitions: 6 };
const wanted: readonly (readonly unknown[])[] = [[2, 3, 4, 5], [['2'], ['3'], ['4'], ['5']], [plan], ['decode', 2]];

function said(speak: (...values: unknown[]) => unknown): string {
  for (const values of wanted) {
    try {
      return String(speak(...values));
    } catch {
      // It wants something else.
    }
  }
  throw new Error(`Nothing known is what it wants: ${String(speak)}`);
}

/** Every text under its path. */
function texts(value: unknown, path = ''): ReadonlyMap<string, string> {
  if (typeof value === 'string') return new Map([[path, value]]);
  if (typeof value === 'function') return new Map([[`${path}()`, said(value as () => unknown)]]);
  const entries = Object.entries(value as object).flatMap(([key, child]) => [...texts(child, `${path}.${key}`)]);
  return new Map(entries);
}

describe('languages', () => {
  const inEnglish = texts({ ...english, api: englishApi });
  const inGerman = texts({ ...german, api: germanApi });
  // Terms are explained under the name they have in each language.
  const keys = (of: ReadonlyMap<string, string>) => [...of.keys()].filter((key) => !key.startsWith('.latency.terms.'));

  it('say the same things, and none of them nothing', () => {
    expect(keys(inGerman).sort()).toEqual(keys(inEnglish).sort());
    expect(Object.keys(german.latency.terms)).toHaveLength(Object.keys(english.latency.terms).length);
    for (const [key, text] of [...inEnglish].filter(([name]) => !name.startsWith('.latency.terms.'))) {
      expect([key, inGerman.get(key)?.trim() === '']).toEqual([key, text.trim() === '']);
    }
  });

  it('are told apart: sentences left in English would be found', () => {
    const same = [...inEnglish].filter(([key, text]) => inGerman.get(key) === text && text.split(' ').length > 3);
    expect(same).toEqual([]);
  });

  it('follow the choice, else the first language of the system that there is, else English', () => {
    expect(languageOf('de', ['en-GB'])).toBe('de');
    expect(languageOf('system', ['fr-FR', 'de-AT', 'en'])).toBe('de');
    expect(languageOf('system', ['fr'])).toBe('en');
  });
});
