import { memo, useMemo } from 'react';

import type { Message } from '../../main/contract/domain.ts';
import { useChat } from '../state/chat.ts';
import { splitBlocks } from '../state/blocks.ts';
import { runFor } from '../state/chatReducers.ts';
import { useUi } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { AnswerState } from './AnswerState.tsx';
import { CutLine } from './CutLine.tsx';
import { EditMessage } from './EditMessage.tsx';
import { LatencyStrip } from './LatencyStrip.tsx';
import { MessageActions } from './MessageActions.tsx';
import { TokenInspector } from './TokenInspector.tsx';
import { MessageText } from './markdown/MessageText.tsx';

/** One turn of the conversation. */
export const MessageView = memo(function MessageView({ id }: { readonly id: string }) {
  const message = useChat((state) => state.open?.tree.byId[id]);
  const editing = useUi((state) => state.editingId === id);
  const raw = useUi((state) => state.rawIds.includes(id));
  if (message === undefined) return null;
  if (message.role === 'assistant') return <Answer message={message} raw={raw} />;
  return (
    <article className="turn turn-user" aria-label={strings.chat.you}>
      <CutLine id={id} />
      <h2 className="visually-hidden">{strings.chat.you}</h2>
      {editing ? (
        <EditMessage message={message} />
      ) : (
        <>
          <div className="question" dir="auto">
            {raw ? <pre className="raw">{message.content}</pre> : message.content}
          </div>
          <MessageActions message={message} busy={false} />
        </>
      )}
    </article>
  );
});

function Answer({ message, raw }: { readonly message: Message; readonly raw: boolean }) {
  const run = useChat((state) => runFor(state, message.id));
  const asTokens = useUi((state) => state.tokensId === message.id) && run === null;
  const stored = useMemo(() => splitBlocks(message.content), [message.content]);
  const content = run?.content ?? stored;
  const waiting = run !== null && content.text === '';
  return (
    <article className="turn turn-answer" aria-label={strings.chat.model} aria-busy={run !== null}>
      <h2 className="visually-hidden">{strings.chat.model}</h2>
      {asTokens ? (
        <TokenInspector message={message} />
      ) : raw ? (
        <pre className="raw" dir="auto">
          {content.text}
        </pre>
      ) : waiting ? (
        <div className="prose prose-streaming" />
      ) : (
        <MessageText content={content} streaming={run !== null && !run.stopping} />
      )}
      <AnswerState message={message} run={run} />
      <div className="turn-foot">
        <LatencyStrip message={message} run={run} />
        <MessageActions message={message} busy={run !== null} />
      </div>
    </article>
  );
}
