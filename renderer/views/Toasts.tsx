import { useEffect } from 'react';
import type { ReactNode } from 'react';

import { dismissFailure, openChat, setContextPolicy, useChat } from '../state/chat.ts';
import { forgetRemoved, restoreChat, useChats } from '../state/chats.ts';
import { dismissNotice, useSettings } from '../state/settings.ts';
import { useUi } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { Button, IconButton } from '../ui/Button.tsx';
import { Notice } from '../ui/Notice.tsx';
import { MovedToast } from './latency/Moved.tsx';

const undoMs = 12_000;

/** What must be seen on every page: a lost connection, what just failed, what can be undone. */
export function Toasts() {
  const connection = useUi((state) => state.connection);
  const overComposer = useUi((state) => state.page === 'chat');
  const failure = useChat((state) => state.failure);
  const listError = useChats((state) => state.error);
  const settingsError = useSettings((state) => state.error);
  const removed = useChats((state) => state.removed);
  useEffect(() => {
    if (removed === null) return undefined;
    const timer = setTimeout(forgetRemoved, undoMs);
    return () => clearTimeout(timer);
  }, [removed]);

  const down = connection === 'lost' || connection === 'refused';
  return (
    <div className={overComposer ? 'toasts toasts-raised' : 'toasts'}>
      {down && <Notice tone="bad">{strings.connection[connection]}</Notice>}
      {!down && failure !== null && (
        <Closable onClose={dismissFailure} action={failure.code === 'CONTEXT_FULL' && <LeaveOut />}>
          {failure.message}
        </Closable>
      )}
      {!down && listError !== null && (
        <Closable onClose={() => useChats.setState({ error: null })}>{listError.message}</Closable>
      )}
      {!down && settingsError !== null && (
        <Closable onClose={() => useSettings.setState({ error: null })}>{settingsError.message}</Closable>
      )}
      <MovedToast />
      {removed !== null && (
        <Notice
          tone="plain"
          actions={
            <Button
              look="link"
              onClick={() =>
                void restoreChat().then((id) => {
                  if (id !== null) void openChat(id);
                })
              }
            >
              {strings.common.undo}
            </Button>
          }
        >
          {strings.rail.removed(removed.title === '' ? strings.rail.untitled : removed.title)}
        </Notice>
      )}
    </div>
  );
}

/** The way on for a conversation that is full; the message waits in its field meanwhile. */
function LeaveOut() {
  const policy = useChat((state) => state.open?.context ?? null);
  if (policy?.kind !== 'stop') return null;
  return (
    <Button
      look="link"
      onClick={() => {
        void setContextPolicy({ ...policy, kind: 'roll' });
        dismissFailure();
      }}
    >
      {strings.context.leaveOut}
    </Button>
  );
}

/** Above the page, where they cover no field: they stay until they are read. */
export function StartNotices() {
  const notices = useSettings((state) => state.info?.notices) ?? [];
  if (notices.length === 0) return null;
  return (
    <div className="toasts toasts-top">
      {notices.map((notice) => (
        <Closable key={notice} tone="warn" onClose={() => dismissNotice(notice)}>
          {notice}
        </Closable>
      ))}
    </div>
  );
}

function Closable(props: {
  readonly tone?: 'bad' | 'warn';
  readonly children: string;
  readonly onClose: () => void;
  readonly action?: ReactNode;
}) {
  const { tone = 'bad', children, onClose, action } = props;
  return (
    <Notice
      tone={tone}
      actions={
        <>
          {action}
          <IconButton icon="close" label={strings.common.dismiss} onClick={onClose} />
        </>
      }
    >
      {children}
    </Notice>
  );
}
