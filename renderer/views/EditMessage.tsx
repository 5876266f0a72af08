import { useState } from 'react';

import { maxMessageChars } from '../../main/contract/domain.ts';
import type { Message } from '../../main/contract/domain.ts';
import { resendEdited } from '../state/chat.ts';
import { setEditing } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';

/** A question as a text to change; sending makes a new version beside it. */
export function EditMessage({ message }: { readonly message: Message }) {
  const [text, setText] = useState(message.content);
  const ready = text.trim() !== '';
  const send = (): void => {
    if (!ready) return;
    void resendEdited(message.id, text).then((sent) => {
      if (sent) setEditing(null);
    });
  };
  return (
    <div className="edit">
      <textarea
        className="input edit-text"
        aria-label={strings.chat.editLabel}
        dir="auto"
        maxLength={maxMessageChars}
        value={text}
        rows={Math.min(12, text.split('\n').length + 1)}
        autoFocus
        onFocus={(focus) => focus.target.setSelectionRange(text.length, text.length)}
        onChange={(change) => setText(change.target.value)}
        onKeyDown={(key) => {
          if (key.nativeEvent.isComposing) return;
          if (key.key === 'Escape') {
            key.preventDefault();
            key.stopPropagation();
            setEditing(null);
          } else if (key.key === 'Enter' && !key.shiftKey) {
            key.preventDefault();
            send();
          }
        }}
      />
      <div className="row">
        <Button look="primary" disabled={!ready} onClick={send}>
          {strings.chat.editSend}
        </Button>
        <Button onClick={() => setEditing(null)}>{strings.common.cancel}</Button>
      </div>
    </div>
  );
}
