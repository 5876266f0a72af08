/**
 * Cuts markdown into top-level blocks, so that finished ones are never parsed again while an answer streams. A block
 * ends where CommonMark can no longer join what follows to it; everything after that point is the tail, and only the
 * tail is cut anew when text arrives. The concatenation of all blocks is the text, exactly.
 */

export interface Block {
  readonly kind: 'markdown' | 'code' | 'math';
  /** Source, fences included. */
  readonly source: string;
  /** code: what stands between the fences. */
  readonly code?: string;
  /** code: first word after the fence, '' when there is none. */
  readonly language?: string;
  /** False for a fence without its end. */
  readonly closed: boolean;
}

export interface BlockList {
  readonly text: string;
  readonly blocks: readonly Block[];
}

export const noBlocks: BlockList = { text: '', blocks: [] };

const fencePattern = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})[ \t]*([^\s`]*)/;
const mathOpen = /^ {0,3}(\$\$|\\\[)/;
const listItem = /^ {0,3}([-+*]|\d{1,9}[.)])(\s|$)/;
const blank = /^[ \t]*$/;

/** Offset after the line that begins at `start`, its line end included. */
function nextLine(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  return end === -1 ? text.length : end + 1;
}

const lineAt = (text: string, start: number, end: number): string => text.slice(start, end).replace(/\r?\n$/, '');

function codeBlock(text: string, start: number, fence: RegExpExecArray): { block: Block; end: number } {
  const marker = fence[1] ?? '```';
  const closing = new RegExp(`^ {0,3}${marker[0] === '~' ? '~' : '`'}{${marker.length},}[ \\t]*$`);
  const body = nextLine(text, start);
  let at = body;
  while (at < text.length) {
    const end = nextLine(text, at);
    if (closing.test(lineAt(text, at, end))) {
      const code = text.slice(body, at).replace(/\r?\n$/, '');
      return {
        block: { kind: 'code', source: text.slice(start, end), code, language: fence[2] ?? '', closed: true },
        end,
      };
    }
    at = end;
  }
  const code = text.slice(body);
  return {
    block: { kind: 'code', source: text.slice(start), code, language: fence[2] ?? '', closed: false },
    end: text.length,
  };
}

/** A formula that stands alone: from $$ or \[ to its end within one paragraph. null: it is not one. */
function mathBlock(text: string, start: number, opener: string): { block: Block; end: number } | null {
  const closer = opener === '$$' ? '$$' : '\\]';
  const from = text.indexOf(opener, start) + opener.length;
  const gap = /\n[ \t]*\r?\n/.exec(text.slice(from));
  const limit = gap === null ? text.length : from + gap.index;
  const close = text.slice(0, limit).indexOf(closer, from);
  if (close === -1) {
    if (gap !== null) return null;
    return { block: { kind: 'math', source: text.slice(start), closed: false }, end: text.length };
  }
  const end = nextLine(text, close);
  const alone = blank.test(lineAt(text, close + closer.length, end));
  if (!alone || text.slice(from, close).trim() === '') return null;
  return { block: { kind: 'math', source: text.slice(start, end), closed: true }, end };
}

/** End of the markdown block that begins at `start`: a blank line at top level, or the line before a fence. */
function markdownEnd(text: string, start: number): number {
  const first = lineAt(text, start, nextLine(text, start));
  // Lists and indented code go on after a blank line; what is indented belongs to them.
  let goesOn = listItem.test(first) || /^( {4}|\t)/.test(first);
  let at = nextLine(text, start);
  let afterBlank = false;
  while (at < text.length) {
    const end = nextLine(text, at);
    const line = lineAt(text, at, end);
    if (blank.test(line)) {
      afterBlank = true;
    } else {
      const opensBlock = (fencePattern.test(line) || mathOpen.test(line)) && !(goesOn && /^(\s{2}|\t)/.test(line));
      const joins = !afterBlank || (goesOn && (/^\s/.test(line) || listItem.test(line)));
      if (opensBlock || !joins) return at;
      goesOn ||= listItem.test(line);
      afterBlank = false;
    }
    at = end;
  }
  return text.length;
}

function cutFrom(text: string, from: number): Block[] {
  const blocks: Block[] = [];
  let at = from;
  while (at < text.length) {
    const line = lineAt(text, at, nextLine(text, at));
    const fence = fencePattern.exec(line);
    const opener = mathOpen.exec(line)?.[1];
    const special =
      fence !== null ? codeBlock(text, at, fence) : opener !== undefined ? mathBlock(text, at, opener) : null;
    if (special !== null) {
      blocks.push(special.block);
      at = special.end;
    } else {
      const end = markdownEnd(text, at);
      blocks.push({ kind: 'markdown', source: text.slice(at, end), closed: end < text.length });
      at = end;
    }
  }
  return blocks;
}

export function splitBlocks(text: string): BlockList {
  return { text, blocks: cutFrom(text, 0) };
}

/**
 * The blocks of a text that has grown at its end. Where the last block begins may rest on a line that is not finished
 * yet, so the last two are cut anew; all before them are the same objects as before.
 */
export function growBlocks(list: BlockList, added: string): BlockList {
  if (added === '') return list;
  const text = list.text + added;
  const kept = list.blocks.slice(0, -2);
  const tailChars = list.blocks.slice(-2).reduce((sum, block) => sum + block.source.length, 0);
  return { text, blocks: [...kept, ...cutFrom(text, list.text.length - tailChars)] };
}

const definitionLine = /^ {0,3}\[[^\]^][^\]]*\]:[ \t]*\S.*$/gm;
const definitions = new WeakMap<BlockList, string>();

/** Link definitions of a message: each block may need those of all others. */
export function definitionsOf(list: BlockList): string {
  if (!list.text.includes(']:')) return '';
  let lines = definitions.get(list);
  if (lines === undefined) {
    lines = (list.text.match(definitionLine) ?? []).join('\n');
    definitions.set(list, lines);
  }
  return lines;
}
