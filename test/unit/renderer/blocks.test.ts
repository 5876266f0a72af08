import { describe, expect, test } from 'vitest';

import { growBlocks, noBlocks, splitBlocks } from '../../../renderer/state/blocks.ts';
import type { BlockList } from '../../../renderer/state/blocks.ts';

const awkward = [
  '# Title\n\nText with `code`.\n\n- a\n- b\n\n- c after a blank line\n\n  its second paragraph\n\nAfter the list.\n',
  'Intro:\n1. one\n\n2. two\n```py\nx = 1\n\ny = 2\n```\n3. three\n',
  '```md\n# not a title\n\n~~~\n```\n\nText\n\n~~~js\nunclosed\n\n```\n',
  '$$\na = b\n$$\n\nInline $$x$$ stays.\n\n\\[\nc\n- d\n\\]\ntext right after\n',
  '\\[ no end\n\nand the text goes on \\] here\n',
  '    indented code\n\n    more of it\n\nText\n',
  '| a | b |\n|---|---|\n| 1 | 2 |\n\n\n\n> quote\n>\n> more\n\nEnd without newline',
  '',
  '\n\n\n',
  'a\r\n\r\n```\r\ncode\r\n```\r\nb',
];

const sources = (list: BlockList): readonly string[] => list.blocks.map((block) => block.source);

describe('cutting markdown into blocks', () => {
  test.each(awkward)('loses and invents nothing: %j', (text) => {
    expect(sources(splitBlocks(text)).join('')).toBe(text);
  });

  test.each(awkward)('growing by single characters gives the blocks of the whole: %j', (text) => {
    let grown = noBlocks;
    for (const character of text) grown = growBlocks(grown, character);
    expect(grown).toEqual(splitBlocks(text));
  });

  test('blocks before the tail stay the same objects while the text grows', () => {
    const before = splitBlocks('One.\n\nTwo.\n\n```js\nlet x;\n```\n\nThree');
    const after = growBlocks(before, ' and more.\n\nFour');
    expect(after.blocks.slice(0, 2)).toEqual(before.blocks.slice(0, 2));
    for (const index of [0, 1]) expect(after.blocks[index]).toBe(before.blocks[index]);
  });

  test('a list with blank lines between its items is one block', () => {
    expect(splitBlocks('1. a\n\n2. b\n\n   more of b\n\n3. c\n\nText').blocks).toHaveLength(2);
  });

  test('a fence ends a list when it is not indented, and keeps its blank lines', () => {
    const { blocks } = splitBlocks('1. Do this:\n```sh\nmake\n\nmake test\n```\nDone');
    expect(blocks.map((block) => block.kind)).toEqual(['markdown', 'code', 'markdown']);
    expect(blocks[1]).toMatchObject({ code: 'make\n\nmake test', language: 'sh', closed: true });
  });

  test('an unclosed fence is open to its end', () => {
    const block = splitBlocks('```python\nprint(1)\n').blocks[0];
    expect(block).toMatchObject({ kind: 'code', code: 'print(1)\n', closed: false });
  });

  test('a longer fence may contain a shorter one', () => {
    expect(splitBlocks('````md\n```\nx\n```\n````\n').blocks).toHaveLength(1);
  });

  test('formulas on their own are blocks, formulas in a sentence are not', () => {
    const kinds = splitBlocks('\\[\nx\n\\]\n\nText \\(y\\) and $$z$$ end.\n').blocks.map((block) => block.kind);
    expect(kinds).toEqual(['math', 'markdown']);
  });
});
