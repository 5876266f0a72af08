import { useEffect, useRef, useState } from 'react';
import { Virtuoso } from 'react-virtuoso';
import type { VirtuosoHandle } from 'react-virtuoso';

import { useChat } from '../state/chat.ts';
import { useUi } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { Icon } from '../ui/Icon.tsx';
import { MessageView } from './MessageView.tsx';

const noIds: readonly string[] = [];
/** Closer to the end than this, the view follows what is written. */
const atEndPx = 48;

/** Virtual over ids: each row reads its own message, so that a frame of text renders one row. */
export function MessageList() {
  const chatId = useChat((state) => state.open?.id ?? '');
  const path = useChat((state) => state.open?.path ?? noIds);
  const revealId = useUi((state) => state.revealId);
  const list = useRef<VirtuosoHandle>(null);
  const [atEnd, setAtEnd] = useState(true);

  useEffect(() => {
    const index = revealId === null ? -1 : path.indexOf(revealId);
    if (index === -1) return;
    list.current?.scrollToIndex({ index, align: 'center' });
    useUi.setState({ revealId: null });
  }, [revealId, path]);

  return (
    <div className="messages" role="region" aria-label={strings.chat.conversation}>
      <Virtuoso
        key={chatId}
        ref={list}
        className="messages-scroll scroll"
        data={path as string[]}
        computeItemKey={(_, id) => id}
        {...(path.length > 2 ? { initialTopMostItemIndex: { index: 'LAST' as const, align: 'end' as const } } : {})}
        followOutput={(atBottom) => (atBottom ? 'auto' : false)}
        atBottomThreshold={atEndPx}
        atBottomStateChange={setAtEnd}
        increaseViewportBy={600}
        itemContent={(_, id) => <MessageView id={id} />}
        components={{ Header: Gap, Footer: Gap }}
      />
      {!atEnd && (
        <button
          type="button"
          className="to-end"
          aria-label={strings.chat.jumpToEnd}
          title={strings.chat.jumpToEnd}
          onClick={() => list.current?.scrollToIndex({ index: 'LAST', align: 'end' })}
        >
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

function Gap() {
  return <div className="messages-gap" />;
}
