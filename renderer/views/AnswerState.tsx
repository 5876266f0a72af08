import type { ReactNode } from 'react';

import type { Message } from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import { continueAnswer, regenerate, useChat } from '../state/chat.ts';
import { selectBusy } from '../state/chatReducers.ts';
import type { Run } from '../state/chatReducers.ts';
import { useEngine } from '../state/engine.ts';
import { updateSettings, useSettings } from '../state/settings.ts';
import { showDrawerTab, showPage } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { Notice } from '../ui/Notice.tsx';
import { LostActions } from './LostActions.tsx';

/** How an answer ended, when it did not end by itself: in words, with the one action that helps. */
export function AnswerState({ message, run }: { readonly message: Message; readonly run: Run | null }) {
  const notice = message.stats?.notice;
  return (
    <>
      {run === null && notice !== undefined && <p className="ending">{strings.chat.readAgain(notice)}</p>}
      <HowItEnded message={message} run={run} />
    </>
  );
}

function HowItEnded({ message, run }: { readonly message: Message; readonly run: Run | null }) {
  const answering = useChat(selectBusy);
  if (run !== null) return null;
  const goOn = (
    <Button look="link" disabled={answering} onClick={() => void continueAnswer(message.id)}>
      {strings.chat.continue}
    </Button>
  );
  if (message.status === 'failed' || message.error !== null) {
    return <Failure message={message} error={message.error} goOn={message.content === '' ? null : goOn} />;
  }
  if (message.status === 'interrupted') return <Ending words={strings.chat.interrupted} action={goOn} />;
  switch (message.stats?.finishReason) {
    case 'cancelled':
      return <Ending words={strings.chat.stopped} action={goOn} />;
    case 'length':
      return (
        <Ending
          words={strings.chat.cutByLength(message.stats.outputTokens)}
          action={
            <>
              {goOn}
              <RaiseLimit />
            </>
          }
        />
      );
    case 'context':
      return <Ending words={strings.chat.cutByContext} action={<ModelPage label={strings.chat.moreContext} />} />;
    case 'stop':
      return message.content === '' ? <Ending words={strings.chat.empty} /> : null;
    default:
      return null;
  }
}

function Ending({ words, action }: { readonly words: string; readonly action?: ReactNode }) {
  return (
    <p className="ending">
      {words} {action}
    </p>
  );
}

function RaiseLimit() {
  const drawerOpen = useSettings((state) => state.settings.drawerOpen);
  return (
    <Button
      look="link"
      onClick={() => {
        showDrawerTab('sampling');
        if (!drawerOpen) void updateSettings({ drawerOpen: true });
      }}
    >
      {strings.chat.raiseLimit}
    </Button>
  );
}

function ModelPage({ label }: { readonly label: string }) {
  return (
    <Button look="link" onClick={() => showPage('settings')}>
      {label}
    </Button>
  );
}

interface FailureProps {
  readonly message: Message;
  readonly error: ErrorInfo | null;
  /** The button that goes on after the text that had come; null when none had. */
  readonly goOn: ReactNode;
}

function Failure(props: FailureProps) {
  return (
    <Notice tone="bad" actions={<FailureAction {...props} />}>
      {props.error?.message ?? strings.chat.failed}
    </Notice>
  );
}

function FailureAction({ message, error, goOn }: FailureProps) {
  const status = useEngine((state) => state.status);
  switch (error?.code) {
    case 'DEVICE_LOST':
      // While the engine is still lost, the way back is to load again; after that, to go on or to answer again.
      if (status?.state === 'lost') return <LostActions request={status.request} />;
      return <Retry message={message} goOn={goOn} />;
    case 'CONTEXT_FULL':
      return <ModelPage label={strings.chat.moreContext} />;
    case 'NO_MODEL':
    case 'TOKENIZER_MISSING':
    case 'BAD_MODEL':
    case 'OUT_OF_MEMORY':
      return (
        <Button look="link" onClick={() => showPage('models')}>
          {strings.chat.loadModel}
        </Button>
      );
    case 'CONNECTION_LOST':
      return (
        <Button look="link" onClick={() => location.reload()}>
          {strings.chat.reload}
        </Button>
      );
    default:
      return <Retry message={message} goOn={goOn} />;
  }
}

function Retry({ message, goOn }: Omit<FailureProps, 'error'>) {
  return (
    <>
      {goOn}
      <Button look="link" onClick={() => void regenerate(message.id)}>
        {strings.common.retry}
      </Button>
    </>
  );
}
