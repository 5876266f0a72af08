import { memo, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { ReactNode } from 'react';

import { CopyButton } from '../../ui/CopyButton.tsx';
import { Button } from '../../ui/Button.tsx';
import { strings } from '../../strings.ts';
import type { CodeNode } from './highlight.ts';

/** Lines in one text node while code grows: only the last group changes. */
const groupLines = 50;
/** Longer blocks are cut to a window that scrolls. */
const tallLines = 28;

function groupsOf(code: string): readonly string[] {
  const groups: string[] = [];
  let start = 0;
  let lines = 0;
  for (let at = code.indexOf('\n'); at !== -1; at = code.indexOf('\n', at + 1)) {
    lines += 1;
    if (lines < groupLines) continue;
    groups.push(code.slice(start, at + 1));
    start = at + 1;
    lines = 0;
  }
  groups.push(code.slice(start));
  return groups;
}

const Group = memo(function Group({ text }: { readonly text: string }) {
  return <span>{text}</span>;
});

function draw(nodes: readonly CodeNode[]): ReactNode {
  return nodes.map((node, index) =>
    node.type === 'text' ? (
      node.value
    ) : (
      <span
        key={index}
        className={Array.isArray(node.properties.className) ? node.properties.className.join(' ') : undefined}
      >
        {draw(node.children)}
      </span>
    ),
  );
}

/** Code with its language, a copy button, and colours once it is complete. */
export const CodeBlock = memo(function CodeBlock(props: {
  readonly code: string;
  readonly language: string;
  /** False while it is still being written. */
  readonly closed: boolean;
}) {
  const { code, language, closed } = props;
  const [expanded, setExpanded] = useState(false);
  const [coloured, setColoured] = useState<{ readonly of: string; readonly nodes: readonly CodeNode[] | null } | null>(
    null,
  );
  const view = useRef<HTMLPreElement>(null);
  const lines = useMemo(() => code.split('\n').length, [code]);
  const tall = lines > tallLines;

  // Complete code only: colours would be computed anew for every line that arrives.
  useEffect(() => {
    if (!closed) return undefined;
    let current = true;
    void import('./highlight.ts').then(({ highlight }) => {
      if (current) setColoured({ of: code, nodes: highlight(code, language) });
    });
    return () => {
      current = false;
    };
  }, [closed, code, language]);

  useLayoutEffect(() => {
    const pre = view.current;
    if (pre !== null && !closed && tall) pre.scrollTop = pre.scrollHeight;
  }, [code, closed, tall]);

  const nodes = coloured?.of === code ? coloured.nodes : null;
  const name = language === '' ? strings.code.plain : language;
  return (
    <div className="code-block" dir="ltr">
      <div className="code-head">
        <span className="code-language">{name}</span>
        <CopyButton label={strings.code.copy} text={() => code} />
      </div>
      <pre
        ref={view}
        className={tall && !expanded ? 'code-view code-tall scroll' : 'code-view'}
        tabIndex={0}
        role="region"
        aria-label={strings.code.region(name)}
      >
        <code>
          {nodes === null ? groupsOf(code).map((text, index) => <Group key={index} text={text} />) : draw(nodes)}
        </code>
      </pre>
      {tall && closed && (
        <div className="code-foot">
          <Button look="link" aria-expanded={expanded} onClick={() => setExpanded(!expanded)}>
            {expanded ? strings.code.collapse : strings.code.expand(lines)}
          </Button>
        </div>
      )}
    </div>
  );
});
