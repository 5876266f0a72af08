/**
 * TeX as language models write it: \(inline\), \[display\] and $inline$, as an extension of the markdown tokenizer.
 * Working on tokens means that code is never touched and that the source is never rewritten. Emits the tokens of
 * remark-math, which handles $$ and turns all of them into nodes.
 */

type Code = number | null;
type State = (code: Code) => State | undefined;
interface Effects {
  enter(type: string): unknown;
  exit(type: string): unknown;
  consume(code: Code): void;
}

const dollar = 36;
const openParen = 40;
const closeParen = 41;
const openBracket = 91;
const backslash = 92;
const closeBracket = 93;

const isLineEnding = (code: Code): boolean => code !== null && code < -2;
const isSpace = (code: Code): boolean => code !== null && (code < 0 || code === 32);
const isWordCharacter = (code: Code): boolean =>
  code !== null && code > 0 && /[\p{L}\p{N}]/u.test(String.fromCodePoint(code));

/**
 * Prices look like formulas: "$5 a day or 100$". A formula that begins with a number has an operator or a TeX command
 * in it; a price is followed by words.
 */
export function looksLikeMoney(content: string): boolean {
  return /^\d[\d.,]*\s*[\p{L}\p{P}]*\s/u.test(content) && /\p{L}{2,}/u.test(content) && !/[\\^_={}<>]/.test(content);
}

/** A line ending is a token of its own; everything between is data. */
function dataReader(effects: Effects) {
  let open = false;
  let content = '';
  return {
    get content() {
      return content;
    },
    take(code: Code): void {
      if (isLineEnding(code)) {
        this.close();
        effects.enter('lineEnding');
        effects.consume(code);
        effects.exit('lineEnding');
        content += '\n';
        return;
      }
      if (!open) effects.enter('mathTextData');
      open = true;
      effects.consume(code);
      content += code !== null && code > 0 ? String.fromCodePoint(code) : ' ';
    },
    close(): void {
      if (open) effects.exit('mathTextData');
      open = false;
    },
  };
}

/** $…$ by Pandoc's rule, and stricter: no space inside the dollars, no letter or digit beside them, no price. */
function tokenizeDollars(effects: Effects, ok: State, nok: State): State {
  const data = dataReader(effects);
  let last: Code = null;

  const start: State = (code) => {
    effects.enter('mathText');
    effects.enter('mathTextSequence');
    effects.consume(code);
    effects.exit('mathTextSequence');
    return first;
  };
  const first: State = (code) =>
    code === null || code === dollar || isSpace(code) || isLineEnding(code) ? nok(code) : inside(code);
  const inside: State = (code) => {
    if (code === null) return nok(code);
    if (code === dollar && last !== backslash) {
      if (isSpace(last) || isLineEnding(last)) return nok(code);
      data.close();
      effects.enter('mathTextSequence');
      effects.consume(code);
      effects.exit('mathTextSequence');
      return after;
    }
    // An escaped backslash does not escape what follows.
    last = last === backslash && code === backslash ? null : code;
    data.take(code);
    return inside;
  };
  const after: State = (code) => {
    if (isWordCharacter(code) || code === dollar || looksLikeMoney(data.content)) return nok(code);
    effects.exit('mathText');
    return ok(code);
  };
  return start;
}

/** \(…\) and \[…\]. */
function tokenizeBackslash(effects: Effects, ok: State, nok: State): State {
  const data = dataReader(effects);
  let closer = closeParen;

  const start: State = (code) => {
    effects.enter('mathText');
    effects.enter('mathTextSequence');
    effects.consume(code);
    return opener;
  };
  const opener: State = (code) => {
    if (code !== openParen && code !== openBracket) return nok(code);
    closer = code === openParen ? closeParen : closeBracket;
    effects.consume(code);
    effects.exit('mathTextSequence');
    return inside;
  };
  const inside: State = (code) => {
    if (code === null) return nok(code);
    if (code === backslash) {
      // Whether this ends the formula is known one character later; a token must be chosen now.
      data.close();
      effects.enter('mathTextSequence');
      effects.consume(code);
      return afterBackslash;
    }
    data.take(code);
    return inside;
  };
  const afterBackslash: State = (code) => {
    if (code === closer) {
      if (data.content.trim() === '') return nok(code);
      effects.consume(code);
      effects.exit('mathTextSequence');
      effects.exit('mathText');
      return ok;
    }
    const token = effects.exit('mathTextSequence') as { type: string };
    token.type = 'mathTextData';
    if (code === null || isLineEnding(code)) return inside(code);
    data.take(code);
    return inside;
  };
  return start;
}

/** "US$5": a dollar after a letter, a digit or another dollar opens nothing. */
function previousAllowsDollar(code: Code): boolean {
  return code !== dollar && !isWordCharacter(code);
}

const extension = {
  text: {
    [dollar]: { name: 'dollarMath', tokenize: tokenizeDollars, previous: previousAllowsDollar },
    [backslash]: { name: 'texMath', tokenize: tokenizeBackslash },
  },
  // Footnotes cannot work in a text that is drawn block by block: their marks stay as written.
  disable: { null: ['gfmFootnoteDefinition', 'gfmFootnoteCall', 'gfmPotentialFootnoteCall'] },
};

interface Node {
  readonly type: string;
  readonly children?: readonly Node[];
  readonly position?: { readonly start: { readonly offset?: number } };
  data?: { hProperties?: { className?: string[] } };
}

/** \[…\], and $$…$$ alone in its paragraph, are set as display formulas. */
function markDisplay(node: Node, source: string): void {
  for (const child of node.children ?? []) {
    if (child.type === 'inlineMath') {
      const opener = source.slice(child.position?.start.offset ?? 0).slice(0, 2);
      const alone = node.type === 'paragraph' && node.children?.length === 1;
      if ((opener === '\\[' || (opener === '$$' && alone)) && child.data?.hProperties !== undefined) {
        child.data.hProperties.className = ['language-math', 'math-display'];
      }
    }
    markDisplay(child, source);
  }
}

/** A remark plugin; stands after remark-math. */
export function remarkTex(this: { data(): unknown }) {
  const data = this.data() as { micromarkExtensions?: unknown[] };
  (data.micromarkExtensions ??= []).push(extension);
  return (tree: unknown, file: { toString(): string }) => markDisplay(tree as Node, String(file));
}
