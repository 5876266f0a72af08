import { memo } from 'react';
import { useShallow } from 'zustand/react/shallow';

import type { Message } from '../../main/contract/domain.ts';
import { useChat } from '../state/chat.ts';
import { definitionsOf } from '../state/blocks.ts';
import { runFor } from '../state/chatReducers.ts';
import type { Run } from '../state/chatReducers.ts';
import { blocksOfPart, contentOf } from '../state/rows.ts';
import type { Row } from '../state/rows.ts';
import { useUi } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { AnswerState } from './AnswerState.tsx';
import { CutLine } from './CutLine.tsx';
import { EditMessage } from './EditMessage.tsx';
import { LatencyStrip } from './LatencyStrip.tsx';
import { MessageActions } from './MessageActions.tsx';
import { QuestionText } from './QuestionText.tsx';
import { TokenInspector } from './TokenInspector.tsx';
import { MessageText } from './markdown/MessageText.tsx';

/** One turn of the conversation, or one of the rows of a long answer. */
export const MessageView = memo(function MessageView({ id, part, parts }: Omit<Row, 'key'>) {
  const message = useChat((state) => state.open?.tree.byId[id]);
  const editing = useUi((state) => state.editingId === id);
  const raw = useUi((state) => state.rawIds.includes(id));
  if (message === undefined) return null;
  if (message.role === 'assistant') return <Answer message={message} raw={raw} part={part} parts={parts} />;
  return (
    <article className="turn turn-user" aria-label={strings.chat.you}>
      <CutLine id={id} />
      <h2 className="visually-hidden">{strings.chat.you}</h2>
      {editing ? (
        <EditMessage message={message} />
      ) : (
        <>
          <QuestionText text={message.content} raw={raw} />
          <MessageActions message={message} busy={false} />
        </>
      )}
    </article>
  );
});

interface AnswerProps extends Pick<Row, 'part' | 'parts'> {
  readonly message: Message;
  readonly raw: boolean;
}

function Answer({ message, raw, part, parts }: AnswerProps) {
  const isLast = part === parts - 1;
  const run = useChat((state) => (isLast ? runFor(state, message.id) : null));
  const asTokens = useUi((state) => state.tokensId === message.id) && run === null;
  return (
    <article
      className={`turn turn-answer${part > 0 ? ' turn-more' : ''}${isLast ? '' : ' turn-unfinished'}`}
      aria-label={part === 0 ? strings.chat.model : strings.chat.modelPart(part + 1, parts)}
      aria-busy={run !== null}
    >
      {part === 0 && <h2 className="visually-hidden">{strings.chat.model}</h2>}
      {asTokens ? (
        <TokenInspector message={message} />
      ) : (
        <AnswerText message={message} raw={raw} part={part} parts={parts} run={run} />
      )}
      {isLast && (
        <>
          <AnswerState message={message} run={run} />
          <div className="turn-foot">
            <LatencyStrip message={message} run={run} />
            <MessageActions message={message} busy={run !== null} />
          </div>
        </>
      )}
    </article>
  );
}

function AnswerText({ message, raw, part, parts, run }: AnswerProps & { readonly run: Run | null }) {
  const blocks = useChat(useShallow((state) => blocksOfPart(contentOf(state, message), part, parts)));
  const definitions = useChat((state) => definitionsOf(contentOf(state, message)));
  if (raw) {
    return (
      <pre className="raw" dir="auto">
        {blocks.map(({ source }) => source).join('')}
      </pre>
    );
  }
  if (run !== null && blocks.length === 0) return <div className="prose prose-streaming" />;
  return <MessageText blocks={blocks} definitions={definitions} streaming={run !== null && !run.stopping} />;
}
