import { useEffect, useRef } from 'react';

import { decodeTokensPerSecond } from '../../../main/contract/domain.ts';
import { continueText, setText, stopText, takeBack, useCompletion } from '../../state/completion.ts';
import { useEngine } from '../../state/engine.ts';
import { showPage } from '../../state/ui.ts';
import { rateText } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';
import { Notice } from '../../ui/Notice.tsx';
import './library.css';

/** One text, and a model that goes on with it. */
export function CompletionView() {
  const { text, run, error, before } = useCompletion();
  const ready = useEngine((state) => state.status?.state === 'ready');
  const words = strings.completion;
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (run !== null) field.current?.scrollTo({ top: field.current.scrollHeight });
  }, [text, run]);
  return (
    <div className="completion">
      <div className="completion-column">
        <p className="soft">{words.help}</p>
        {!ready && (
          <Notice
            tone="plain"
            actions={
              <Button look="link" onClick={() => showPage('models')}>
                {words.models}
              </Button>
            }
          >
            {words.noModel}
          </Notice>
        )}
        {error !== null && <Notice tone="bad">{error.message}</Notice>}
        <textarea
          ref={field}
          className="input completion-text"
          aria-label={words.label}
          placeholder={words.placeholder}
          dir="auto"
          readOnly={run !== null}
          value={text}
          onChange={(change) => setText(change.target.value)}
          onKeyDown={(key) => {
            if (key.key === 'Enter' && (key.ctrlKey || key.metaKey) && ready) void continueText();
            if (key.key === 'Escape' && run !== null) void stopText();
          }}
        />
        <div className="row completion-foot">
          {run === null ? (
            <Button look="primary" disabled={!ready || text === ''} onClick={() => void continueText()}>
              {words.go}
            </Button>
          ) : (
            <Button look="primary" disabled={run.generationId === null} onClick={() => void stopText()}>
              {words.stop}
            </Button>
          )}
          <Button disabled={run !== null || before.length === 0} onClick={takeBack}>
            {words.undo}
          </Button>
          <Speed />
        </div>
      </div>
    </div>
  );
}

function Speed() {
  const stats = useCompletion((state) => state.stats);
  const perSecond = stats === null ? null : decodeTokensPerSecond(stats);
  if (perSecond === null) return null;
  return <span className="figures soft">{rateText(perSecond)}</span>;
}
