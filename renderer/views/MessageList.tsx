import { useCallback, useEffect, useRef, useState } from 'react';
import { Virtuoso } from 'react-virtuoso';
import type { VirtuosoHandle } from 'react-virtuoso';

import { useChat } from '../state/chat.ts';
import { selectRows } from '../state/rows.ts';
import { useUi } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { Icon } from '../ui/Icon.tsx';
import { MessageView } from './MessageView.tsx';

/** Closer to the end than this, the reader is at the end. */
const atEndPx = 48;
/** A scroll this soon after a touch of wheel, key or pointer is the reader's; any other is the list's own. */
const readerMs = 400;
const readerEvents = ['wheel', 'touchmove', 'pointerdown', 'pointermove', 'keydown'] as const;

interface EndFollower {
  /** Whether the view follows what is written. */
  readonly atEnd: boolean;
  readonly attach: (scroller: HTMLElement | Window | null) => void;
  readonly onGrown: () => void;
  readonly toEnd: () => void;
}

/** Holds the view at the end while the reader is there; whoever scrolls up stays where they are. */
function useEndFollower(): EndFollower {
  const scroller = useRef<HTMLElement | null>(null);
  const following = useRef(true);
  const [atEnd, setAtEnd] = useState(true);
  const follow = useCallback((next: boolean) => {
    following.current = next;
    setAtEnd(next);
  }, []);
  const onGrown = useCallback(() => {
    const element = scroller.current;
    if (element !== null && following.current) element.scrollTop = element.scrollHeight;
  }, []);
  const toEnd = useCallback(() => {
    follow(true);
    onGrown();
  }, [follow, onGrown]);
  const attach = useCallback(
    (element: HTMLElement | Window | null) => {
      if (!(element instanceof HTMLElement)) return;
      scroller.current = element;
      // Its height, too: a draft that grows takes from it.
      new ResizeObserver(onGrown).observe(element);
      let { scrollTop } = element;
      let touchedAt = -Infinity;
      for (const name of readerEvents) {
        element.addEventListener(name, () => (touchedAt = performance.now()), { passive: true });
      }
      element.addEventListener(
        'scroll',
        () => {
          const toGo = element.scrollHeight - element.scrollTop - element.clientHeight;
          const movedUp = element.scrollTop < scrollTop && performance.now() - touchedAt < readerMs;
          if (toGo < atEndPx) follow(true);
          else if (movedUp) follow(false);
          scrollTop = element.scrollTop;
        },
        { passive: true },
      );
    },
    [follow, onGrown],
  );
  return { atEnd, attach, onGrown, toEnd };
}

/** Virtual: each row reads its own message, so that a frame of text renders one row. */
export function MessageList() {
  const chatId = useChat((state) => state.open?.id ?? '');
  return <Conversation key={chatId} />;
}

function Conversation() {
  const tokensId = useUi((state) => state.tokensId);
  const rows = useChat((state) => selectRows(state, tokensId));
  const turns = useChat((state) => state.open?.path.length ?? 0);
  const revealId = useUi((state) => state.revealId);
  const list = useRef<VirtuosoHandle>(null);
  const { atEnd, attach, onGrown, toEnd } = useEndFollower();
  const before = useRef(turns);

  useEffect(() => {
    if (turns > before.current) toEnd();
    before.current = turns;
  }, [turns, toEnd]);

  useEffect(() => {
    const index = revealId === null ? -1 : rows.findIndex(({ id }) => id === revealId);
    if (index === -1) return;
    list.current?.scrollToIndex({ index, align: 'center' });
    useUi.setState({ revealId: null });
  }, [revealId, rows]);

  return (
    <div className="messages" role="region" aria-label={strings.chat.conversation}>
      <Virtuoso
        ref={list}
        scrollerRef={attach}
        className="messages-scroll scroll"
        data={rows}
        computeItemKey={(_, { key }) => key}
        totalListHeightChanged={onGrown}
        increaseViewportBy={600}
        itemContent={(_, { id, part, parts }) => <MessageView id={id} part={part} parts={parts} />}
        components={{ Header: Gap, Footer: Gap }}
      />
      {!atEnd && (
        <button
          type="button"
          className="to-end"
          aria-label={strings.chat.jumpToEnd}
          title={strings.chat.jumpToEnd}
          onClick={() => {
            list.current?.scrollToIndex({ index: 'LAST', align: 'end' });
            toEnd();
          }}
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
