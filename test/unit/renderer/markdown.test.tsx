// @vitest-environment happy-dom
import { cleanup, render } from '@testing-library/react';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { MarkdownBlock, warmUp } from '../../../renderer/views/markdown/MarkdownBlock.tsx';
import { repairTableRows } from '../../../renderer/views/markdown/tableRows.ts';

// KaTeX asks for standards mode when it is loaded; happy-dom does not say that it has it.
vi.hoisted(() => Object.defineProperty(document, 'compatMode', { value: 'CSS1Compat' }));

afterEach(cleanup);

function draw(source: string, kind: 'markdown' | 'math' = 'markdown'): HTMLElement {
  return render(<MarkdownBlock source={source} kind={kind} definitions="" />).container;
}

/** TeX sources of the formulas, in order; display formulas begin with a '!'. */
function formulas(root: HTMLElement): readonly string[] {
  return [...root.querySelectorAll('.formula')].map((formula) => {
    const tex = formula.querySelector('annotation')?.textContent ?? `broken: ${formula.textContent}`;
    return formula.classList.contains('formula-display') ? `!${tex}` : tex;
  });
}

describe('formulas and money', () => {
  test.each<[string, readonly string[]]>([
    ['It costs $5 and $6.', []],
    ['Between $5-$6, or $1,000 and $2,000 a month', []],
    ['$5 a day for you or 10$ a week', []],
    ['US$5 and A$6', []],
    ['echo $HOME and $PATH, also $HOME/$USER', []],
    ['A lone $ sign, and $ x $ with spaces', []],
    ['Escaped \\$x\\$ stays', []],
    ['`"\\(user\\)"` and `$x$` in code', []],
    ['Let $x$ and $y_1 + 2$ be real.', ['x', 'y_1 + 2']],
    ['$5x + 3 = 18$', ['5x + 3 = 18']],
    ['So \\(a_t = e^{-t}\\) holds', ['a_t = e^{-t}']],
    ['Hence \\[ a = b \\] in a line', ['! a = b ']],
    ['$$a = b$$', ['!a = b']],
    ['A cost of $5 for \\(n\\) items, $n$ each', ['n', 'n']],
    ['Escaped backslash \\\\(not math\\\\)', []],
    ['Not closed \\(a + b', []],
  ])('%s', (source, expected) => {
    expect(formulas(draw(source))).toEqual(expected);
  });

  test('text without formulas is drawn as it was written', () => {
    expect(draw('It costs $5 and $6, or US$7.').textContent).toBe('It costs $5 and $6, or US$7.');
  });

  test('a formula of several lines may have lines that look like lists', () => {
    expect(formulas(draw('\\[\na\n- b\n+ c\n\\]', 'math'))).toEqual(['!a\n- b\n+ c']);
  });

  test('a formula that is none is shown as its source', () => {
    expect(draw('Bad $\\frac{1$ here').textContent).toContain('\\frac{1');
  });
});

describe('tables', () => {
  const head = '| a | b |\n|---|---|\n';

  test.each<[string, readonly string[]]>([
    ['| `(1 | group)` | x |', ['(1 | group)', 'x']],
    ['| (1 | group) | x |', ['(1 | group)', 'x']],
    ['| plain | x |', ['plain', 'x']],
    ['| a \\| b | x |', ['a | b', 'x']],
    ['| a | b | c |', ['a', 'b | c']],
  ])('%s', (row, cells) => {
    const found = [...draw(head + row).querySelectorAll('tbody td')].map((cell) => cell.textContent);
    expect(found).toEqual(cells);
  });

  test('a pipe in a formula is an absolute value, not a norm', () => {
    const root = draw(`${head}| $|x|$ | 1 |`);
    expect(formulas(root)).toEqual(['{\\vert}x{\\vert}']);
    expect(root.querySelectorAll('tbody td')).toHaveLength(2);
  });

  test('text that is no table is left alone', () => {
    const text = 'a | b | c\n\n`x | y`';
    expect(repairTableRows(text)).toBe(text);
  });
});

describe('safety', () => {
  test('raw HTML is text', () => {
    const root = draw('<img src=x onerror=alert(1)> <script>alert(1)</script> <b>bold</b>');
    expect(root.querySelector('img, script, b')).toBeNull();
    expect(root.textContent).toContain('<b>bold</b>');
  });

  test('links open outside and cannot run code', () => {
    const root = draw('[a](https://example.invalid/) [b](javascript:alert(1)) ![c](https://example.invalid/i.png)');
    const links = [...root.querySelectorAll('a')];
    expect(links[0]?.getAttribute('target')).toBe('_blank');
    const titled = draw('[a](https://example.invalid/ "https://elsewhere.invalid/")').querySelector('a');
    expect(titled?.getAttribute('title')).toBe('https://example.invalid/');
    expect(links[0]?.getAttribute('rel')).toContain('noopener');
    expect(links.map((link) => link.getAttribute('href') ?? '').join(' ')).not.toContain('javascript');
    expect(root.querySelector('img')).toBeNull();
  });

  test('formulas cannot link or load', () => {
    const root = draw('$\\href{javascript:alert(1)}{x}$ and $\\includegraphics{https://example.invalid/x.png}$');
    expect(root.querySelector('a, img')).toBeNull();
  });

  test('tasks are boxes that say whether they are done, and do nothing', () => {
    const boxes = [...draw('- [x] formula\n- [ ] proof').querySelectorAll('input')];
    expect(boxes.map(({ type, checked, disabled }) => [type, checked, disabled])).toEqual([
      ['checkbox', true, true],
      ['checkbox', false, true],
    ]);
  });

  test('footnote marks stay as written', () => {
    expect(draw('Text[^1] here\n\n[^1]: The note').textContent).toContain('The note');
  });
});

test('the parser can be made ready before there is anything to draw', () => {
  expect(warmUp).not.toThrow();
});
