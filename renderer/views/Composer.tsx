import { useEffect, useLayoutEffect, useRef, useState } from 'react';

import { maxMessageChars } from '../../main/contract/domain.ts';
import { cancelPending, lastOf, flushSaves, sendMessage, setDraft, stopAnswer, useChat } from '../state/chat.ts';
import { selectBusy } from '../state/chatReducers.ts';
import { countTokens, selectReady, useEngine } from '../state/engine.ts';
import { useSettings } from '../state/settings.ts';
import { noteTyping, stopPreparing } from '../state/typing.ts';
import { setEditing, useUi } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { Icon } from '../ui/Icon.tsx';

const countDelayMs = 150;

/** Tokens of the draft, asked for when typing pauses; null while unknown. */
function useTokenCount(text: string): number | null {
  const ready = useEngine(selectReady);
  const [counted, setCounted] = useState<{ readonly text: string; readonly tokens: number | null } | null>(null);
  useEffect(() => {
    if (!ready || text === '') return undefined;
    const timer = setTimeout(() => {
      void countTokens(text).then((tokens) => setCounted({ text, tokens }));
    }, countDelayMs);
    return () => clearTimeout(timer);
  }, [text, ready]);
  // The last figure stays while the next is on its way, so that it does not flicker.
  return text === '' ? null : (counted?.tokens ?? null);
}

/** The message field. Enter sends; what is typed is a draft that survives everything. */
export function Composer() {
  const chatId = useChat((state) => state.open?.id ?? null);
  const draft = useChat((state) => state.open?.draft ?? '');
  const pending = useChat((state) => (state.pending?.chatId === state.open?.id ? state.pending : null));
  const running = useChat(selectBusy);
  const ready = useEngine(selectReady);
  const focusRequests = useUi((state) => state.focusRequests);
  const field = useRef<HTMLTextAreaElement>(null);
  const tokens = useTokenCount(draft);
  const tooLong = draft.length > maxMessageChars;
  const sendable = draft.trim() !== '' && !tooLong && !running && chatId !== null && pending === null;

  useEffect(() => field.current?.focus(), [focusRequests, chatId]);

  useLayoutEffect(() => {
    const area = field.current;
    if (area === null) return;
    area.style.height = 'auto';
    area.style.height = `${area.scrollHeight}px`;
  }, [draft, chatId]);

  const readsAlong = useSettings((state) => state.settings.prefillWhileTyping) && ready && sendable;
  useEffect(() => {
    if (readsAlong && chatId !== null) noteTyping(chatId, draft);
    return stopPreparing;
  }, [readsAlong, chatId, draft]);

  const send = (): void => {
    if (!sendable) return;
    const content = draft;
    setDraft('');
    flushSaves();
    void sendMessage(content, ready).then((sent) => {
      if (!sent && useChat.getState().open?.draft === '') setDraft(content);
    });
  };

  return (
    <div className="composer-place">
      {pending !== null && (
        <div className="pending">
          <span className="pending-text" dir="auto">
            {pending.content}
          </span>
          <span className="soft">{strings.chat.queued}</span>
          <Button look="link" onClick={() => setDraft(cancelPending())}>
            {strings.chat.takeBack}
          </Button>
        </div>
      )}
      <form
        className="composer"
        onSubmit={(submit) => {
          submit.preventDefault();
          send();
        }}
      >
        <textarea
          ref={field}
          className="composer-text scroll"
          dir="auto"
          rows={1}
          aria-label={strings.composer.label}
          placeholder={ready ? strings.composer.placeholder : strings.composer.placeholderNoModel}
          disabled={chatId === null}
          value={draft}
          onChange={(change) => setDraft(change.target.value)}
          onBlur={flushSaves}
          onKeyDown={(key) => {
            // Enter also ends the composition of an input method; that is not a wish to send.
            if (key.nativeEvent.isComposing || key.keyCode === 229) return;
            if (key.key === 'Enter' && !key.shiftKey) {
              key.preventDefault();
              send();
            } else if (key.key === 'ArrowUp' && draft === '' && !running) {
              const question = lastOf('user');
              if (question !== null) {
                key.preventDefault();
                setEditing(question.id);
              }
            }
          }}
        />
        <div className="composer-foot">
          <span className="composer-hint">
            {tooLong ? strings.composer.tooLong(maxMessageChars) : strings.composer.hint}
          </span>
          {tokens !== null && <span className="composer-tokens figures">{strings.composer.tokens(tokens)}</span>}
          {running ? (
            <button
              type="button"
              className="send send-stop"
              aria-label={strings.composer.stop}
              title={`${strings.composer.stop} (Esc)`}
              onClick={() => void stopAnswer()}
            >
              <Icon name="stop" />
            </button>
          ) : (
            <button
              type="submit"
              className="send"
              aria-label={strings.composer.send}
              title={strings.composer.send}
              disabled={!sendable}
            >
              <Icon name="send" />
            </button>
          )}
        </div>
      </form>
    </div>
  );
}
