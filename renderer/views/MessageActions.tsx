import type { Message } from '../../main/contract/domain.ts';
import { rawText, regenerate, switchVersion, useChat } from '../state/chat.ts';
import { selectBusy } from '../state/chatReducers.ts';
import { versionsOf } from '../state/tree.ts';
import { setEditing, toggleRaw, toggleTokens, useUi } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { IconButton } from '../ui/Button.tsx';
import { CopyButton } from '../ui/CopyButton.tsx';

/** What can be done with a message. Shown on hover and on focus, in the order of the tabulator always. */
export function MessageActions({ message, busy }: { readonly message: Message; readonly busy: boolean }) {
  const raw = useUi((state) => state.rawIds.includes(message.id));
  const asTokens = useUi((state) => state.tokensId === message.id);
  const answering = useChat(selectBusy);
  const isAnswer = message.role === 'assistant';
  return (
    <div className="actions" role="group" aria-label={strings.chat.actions}>
      <div className="actions-quiet">
        <CopyButton label={strings.chat.copy} text={() => rawText(message)} />
        {!isAnswer && (
          <IconButton
            icon="edit"
            label={strings.chat.edit}
            disabled={answering}
            onClick={() => setEditing(message.id)}
          />
        )}
        {isAnswer && (
          <IconButton
            icon="refresh"
            label={strings.chat.regenerate}
            disabled={answering}
            onClick={() => void regenerate(message.id)}
          />
        )}
        <IconButton
          icon="raw"
          label={raw ? strings.chat.rendered : strings.chat.raw}
          aria-pressed={raw}
          onClick={() => toggleRaw(message.id)}
        />
        {isAnswer && !busy && message.stats !== null && (
          <IconButton
            icon="tokens"
            label={strings.chat.tokens}
            aria-pressed={asTokens}
            onClick={() => toggleTokens(message.id)}
          />
        )}
      </div>
      {/* Last, so that it stands at the edge while the others are hidden. */}
      <VersionSwitch message={message} disabled={answering} />
    </div>
  );
}

function VersionSwitch({ message, disabled }: { readonly message: Message; readonly disabled: boolean }) {
  const total = useChat((state) => (state.open === null ? 0 : versionsOf(state.open.tree, message.id).ids.length));
  const index = useChat((state) => (state.open === null ? 0 : versionsOf(state.open.tree, message.id).index));
  if (total < 2) return null;
  return (
    <div className="versions">
      <IconButton
        icon="left"
        label={strings.chat.previousVersion}
        disabled={disabled || index === 0}
        onClick={() => void switchVersion(message.id, -1)}
      />
      <span className="figures" role="img" aria-label={strings.chat.versionLabel(index + 1, total)}>
        {strings.chat.version(index + 1, total)}
      </span>
      <IconButton
        icon="right"
        label={strings.chat.nextVersion}
        disabled={disabled || index === total - 1}
        onClick={() => void switchVersion(message.id, 1)}
      />
    </div>
  );
}
