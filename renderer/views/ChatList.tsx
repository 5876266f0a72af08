import { useState } from 'react';

import type { ChatSummary } from '../../main/contract/domain.ts';
import { closeChat, newChat, openChat, useChat } from '../state/chat.ts';
import { groupChats, pinChat, removeChat, renameChat, useChats } from '../state/chats.ts';
import { showPage, useUi } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { IconButton } from '../ui/Button.tsx';
import { Menu } from '../ui/Menu.tsx';

export function ChatList() {
  const chats = useChats((state) => state.chats);
  const loaded = useChats((state) => state.loaded);
  const searching = useChats((state) => state.hits !== null);
  // Groups are by day: a list from this morning is renewed with the next change.
  const [now] = useState(() => Date.now());
  if (searching) return null;
  if (loaded && chats.length === 0) return <p className="rail-note">{strings.rail.noChats}</p>;
  return groupChats(chats, Math.max(now, ...chats.map((chat) => chat.updatedAt))).map(({ group, chats: members }) => (
    <section key={group} aria-label={strings.rail.groups[group]}>
      <h2 className="rail-group">{strings.rail.groups[group]}</h2>
      <ul role="list">
        {members.map((chat) => (
          <ChatItem key={chat.id} chat={chat} />
        ))}
      </ul>
    </section>
  ));
}

/** Opens the next best chat when the open one was removed. */
async function removeAndMoveOn(chatId: string): Promise<void> {
  const wasOpen = useChat.getState().open?.id === chatId;
  if (!(await removeChat(chatId)) || !wasOpen) return;
  closeChat();
  const next = groupChats(useChats.getState().chats, Date.now())[0]?.chats[0];
  if (next === undefined || !(await openChat(next.id))) await newChat();
}

function ChatItem({ chat }: { readonly chat: ChatSummary }) {
  const [renaming, setRenaming] = useState(false);
  const isOpen = useChat((state) => state.open?.id === chat.id);
  const onChat = useUi((state) => state.page === 'chat');
  const answering = useChat((state) => Object.values(state.runs).some((run) => run.chatId === chat.id));
  const title = chat.title === '' ? strings.rail.untitled : chat.title;

  if (renaming) {
    return (
      <li className="chat-item">
        <TitleField chat={chat} onDone={() => setRenaming(false)} />
      </li>
    );
  }
  return (
    <li className="chat-item">
      <button
        type="button"
        className="chat-open"
        aria-current={isOpen && onChat ? 'page' : undefined}
        title={title}
        onClick={() => void openChat(chat.id).then(() => showPage('chat'))}
        onDoubleClick={() => setRenaming(true)}
      >
        <bdi className="chat-title">{title}</bdi>
        {answering && <span className="chat-busy" role="img" aria-label={strings.rail.generating} />}
      </button>
      <Menu
        trigger={<IconButton icon="more" label={strings.rail.actions(title)} />}
        items={[
          { label: strings.rail.rename, icon: 'edit', run: () => setRenaming(true) },
          {
            label: chat.pinned ? strings.rail.unpin : strings.rail.pin,
            icon: 'pin',
            run: () => void pinChat(chat.id, !chat.pinned),
          },
          { label: strings.rail.remove, icon: 'trash', danger: true, run: () => void removeAndMoveOn(chat.id) },
        ]}
      />
    </li>
  );
}

function TitleField({ chat, onDone }: { readonly chat: ChatSummary; readonly onDone: () => void }) {
  const [title, setTitle] = useState(chat.title);
  const save = (): void => {
    if (title.trim() !== chat.title) void renameChat(chat.id, title);
    onDone();
  };
  return (
    <input
      className="input"
      aria-label={strings.rail.titleField}
      maxLength={500}
      value={title}
      ref={(field) => field?.focus()}
      onFocus={(focus) => focus.target.select()}
      onChange={(change) => setTitle(change.target.value)}
      onBlur={save}
      onKeyDown={(key) => {
        if (key.key === 'Enter' && !key.nativeEvent.isComposing) save();
        if (key.key === 'Escape') {
          key.preventDefault();
          key.stopPropagation();
          onDone();
        }
      }}
    />
  );
}
