/** One block of markdown or math. Raw HTML is shown as the text it is; links open outside; images are not fetched. */
import { memo } from 'react';
import type { ComponentProps, ReactNode } from 'react';
import Markdown from 'react-markdown';
import type { Components } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import remarkMath from 'remark-math';

import { strings } from '../../strings.ts';
import { CodeBlock } from './CodeBlock.tsx';
import { Formula } from './Formula.tsx';
import { repairTableRows } from './tableRows.ts';
import { remarkTex } from './texSyntax.ts';

const remarkPlugins: ComponentProps<typeof Markdown>['remarkPlugins'] = [
  [remarkGfm, { singleTilde: false }],
  [remarkMath, { singleDollarTextMath: false }],
  remarkTex,
];
/** Shape of the syntax nodes that components receive. */
interface Syntax {
  readonly tagName?: string;
  readonly value?: string;
  readonly properties?: { readonly className?: unknown };
  readonly children?: readonly Syntax[];
}

const textOf = (node: Syntax): string => node.value ?? (node.children ?? []).map(textOf).join('');

function classesOf(node: Syntax): readonly string[] {
  return Array.isArray(node.properties?.className) ? node.properties.className.map(String) : [];
}

function Pre({ node, children }: { readonly node?: unknown; readonly children?: ReactNode }) {
  const code = (node as Syntax | undefined)?.children?.[0];
  if (code?.tagName !== 'code') return <pre>{children}</pre>;
  const classes = classesOf(code);
  if (classes.includes('math-display')) return <Formula tex={textOf(code)} display />;
  const language = classes.find((name) => name.startsWith('language-'))?.slice('language-'.length) ?? '';
  return <CodeBlock code={textOf(code).replace(/\n$/, '')} language={language} closed />;
}

/** Inline code, or a formula within a line. */
function Code({ node, children }: { readonly node?: unknown; readonly children?: ReactNode }) {
  const syntax = (node ?? {}) as Syntax;
  const classes = classesOf(syntax);
  if (!classes.includes('language-math')) return <code>{children}</code>;
  return <Formula tex={textOf(syntax)} display={classes.includes('math-display')} />;
}

const components: Components = {
  // The address, never a title in its place: who is about to leave sees where to.
  a: ({ href, children }) => (
    <a href={href} title={href} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  ),
  // Nothing is loaded from elsewhere: an image is a link to it.
  img: ({ src, alt }) =>
    typeof src === 'string' && src !== '' ? (
      <a href={src} title={src} target="_blank" rel="noopener noreferrer">
        {alt === undefined || alt === '' ? src : alt}
      </a>
    ) : (
      <>{alt}</>
    ),
  pre: Pre,
  code: Code,
  table: ({ children }) => (
    <div className="table-scroll" role="region" aria-label={strings.code.table} tabIndex={0}>
      <table>{children}</table>
    </div>
  ),
  input: ({ checked }) => (
    <input type="checkbox" checked={checked === true} disabled aria-label={checked === true ? '☑' : '☐'} readOnly />
  ),
  // A header cell without words heads nothing.
  th: ({ children, style }) =>
    children === undefined || children === null ? <td style={style} /> : <th style={style}>{children}</th>,
  // Turns have the second level; models begin at any level, so the upper three are one, told apart by their looks.
  h1: ({ children }) => <h3 className="heading-1">{children}</h3>,
  h2: ({ children }) => <h3 className="heading-2">{children}</h3>,
  h3: ({ children }) => <h3 className="heading-3">{children}</h3>,
  h4: ({ children }) => <h4 className="heading-3">{children}</h4>,
  h5: ({ children }) => <h4 className="heading-3">{children}</h4>,
  h6: ({ children }) => <h4 className="heading-3">{children}</h4>,
};

/** A formula on its own, in the one notation that the parser takes for display at any place. */
function displaySource(source: string): string {
  const inner = source
    .trim()
    .replace(/^(\$\$|\\\[)/, '')
    .replace(/(\$\$|\\\])$/, '');
  return `$$\n${inner.trim()}\n$$`;
}

export const MarkdownBlock = memo(function MarkdownBlock(props: {
  readonly source: string;
  readonly kind: 'markdown' | 'math';
  /** Link definitions from elsewhere in the message. */
  readonly definitions: string;
}) {
  const { source, kind, definitions } = props;
  const text = kind === 'math' ? displaySource(source) : repairTableRows(source);
  return (
    <Markdown remarkPlugins={remarkPlugins} components={components}>
      {definitions !== '' && source.includes('[') ? `${text}\n\n${definitions}` : text}
    </Markdown>
  );
});

const everything = '## A\n\n**b** `c` [d](e)\n\n- f\n\n| g |\n|---|\n| h |\n\n> i\n\n\\(j\\)\n';

/** Has the browser compile the parser before the first answer needs it, within a frame. Draws nothing. */
export function warmUp(): void {
  Markdown({ children: everything, remarkPlugins, components });
}
