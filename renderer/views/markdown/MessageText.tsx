import { Suspense, lazy, memo } from 'react';

import { strings } from '../../strings.ts';
import type { Block } from '../../state/blocks.ts';
import { ErrorBoundary } from '../../ui/ErrorBoundary.tsx';
import { CodeBlock } from './CodeBlock.tsx';

// Parser and formulas are most of the page's weight; the first paint does not wait for them.
const MarkdownBlock = lazy(() => import('./MarkdownBlock.tsx').then((module) => ({ default: module.MarkdownBlock })));

/** One block; a failure while drawing it shows its text and leaves the rest of the page alone. */
const BlockView = memo(function BlockView({
  block,
  definitions,
}: {
  readonly block: Block;
  readonly definitions: string;
}) {
  const plain = <p className="plain-block">{block.source}</p>;
  return (
    <ErrorBoundary
      resetKey={block.source}
      fallback={() => (
        <div className="broken-block">
          <p>{strings.chat.brokenBlock}</p>
          <pre>{block.source}</pre>
        </div>
      )}
    >
      {block.kind === 'code' ? (
        <CodeBlock code={block.code ?? ''} language={block.language ?? ''} closed={block.closed} />
      ) : block.kind === 'math' && !block.closed ? (
        plain
      ) : (
        <Suspense fallback={plain}>
          <MarkdownBlock source={block.source} kind={block.kind} definitions={definitions} />
        </Suspense>
      )}
    </ErrorBoundary>
  );
}, sameBlock);

function sameBlock(a: { block: Block; definitions: string }, b: { block: Block; definitions: string }): boolean {
  return a.block.source === b.block.source && a.block.closed === b.block.closed && a.definitions === b.definitions;
}

interface MessageTextProps {
  readonly blocks: readonly Block[];
  readonly definitions: string;
  readonly streaming: boolean;
}

/** Markdown. Blocks that are complete keep their elements; only the tail is parsed again. */
export function MessageText({ blocks, definitions, streaming }: MessageTextProps) {
  return (
    <div className={streaming ? 'prose prose-streaming' : 'prose'} dir="auto">
      {blocks.map((block, index) => (
        <BlockView
          key={index}
          // Whether the last block is complete is known when the answer ends.
          block={!streaming && !block.closed && block.kind !== 'math' ? { ...block, closed: true } : block}
          definitions={definitions}
        />
      ))}
    </div>
  );
}
