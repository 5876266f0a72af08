/** The page has one sheet of styles in several files: a class belongs to one of them, or one view breaks another. */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { expect, test } from 'vitest';

const renderer = path.resolve(import.meta.dirname, '..', '..', 'renderer');

test('a class is styled as such in one file only', () => {
  const files = globSync('**/*.css', { cwd: renderer });
  expect(files.length).toBeGreaterThan(3);
  const homes = new Map<string, Set<string>>();
  for (const file of files) {
    const text = readFileSync(path.join(renderer, file), 'utf8');
    for (const [, name] of text.matchAll(/^\.([a-z][\w-]*)\s*[,{]/gm)) {
      homes.set(name!, (homes.get(name!) ?? new Set()).add(file));
    }
  }
  expect([...homes].filter(([, where]) => where.size > 1).map(([name, where]) => [name, ...where])).toEqual([]);
});
