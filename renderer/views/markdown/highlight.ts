/** Colours for code, as a syntax tree of spans: no HTML string is ever put into the page. */
import rehypeHighlight from 'rehype-highlight';

export interface Span {
  readonly type: 'element';
  readonly properties: { readonly className?: unknown };
  readonly children: readonly CodeNode[];
}
export interface CodeText {
  readonly type: 'text';
  readonly value: string;
}
export type CodeNode = Span | CodeText;

/** Longer code stays plain: colouring it would stop the page for longer than a blink. */
export const highlightLimit = 40_000;

type Transform = (tree: unknown, file: unknown) => void;
const transform = rehypeHighlight({ detect: false }) as unknown as Transform;

/** null: the language is unknown, or the code too long. */
export function highlight(code: string, language: string): readonly CodeNode[] | null {
  if (language === '' || code.length > highlightLimit) return null;
  const element = {
    type: 'element',
    tagName: 'code',
    properties: { className: [`language-${language.toLowerCase()}`] },
    children: [{ type: 'text', value: code }] as CodeNode[],
  };
  const pre = { type: 'element', tagName: 'pre', properties: {}, children: [element] };
  // The second argument receives a message about an unknown language; the code then stays as it was.
  transform({ type: 'root', children: [pre] }, { message: () => undefined });
  return element.children;
}
