import type { SearchHit } from '../../main/contract/domain.ts';
import { newChat, openChat, showMessage } from '../state/chat.ts';
import { search, useChats } from '../state/chats.ts';
import { focusComposer, showPage, useUi } from '../state/ui.ts';
import type { Page } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { Button, IconButton } from '../ui/Button.tsx';
import { Icon } from '../ui/Icon.tsx';
import type { IconName } from '../ui/Icon.tsx';
import { ChatList } from './ChatList.tsx';
import { keysText } from './commands.ts';
import { usePanels } from './panels.ts';

const pages: readonly { readonly page: Page; readonly icon: IconName }[] = [
  { page: 'models', icon: 'model' },
  { page: 'dashboard', icon: 'pulse' },
  { page: 'api', icon: 'plug' },
  { page: 'settings', icon: 'settings' },
];

export function Rail({ overlaid }: { readonly overlaid: boolean }) {
  const panels = usePanels();
  const page = useUi((state) => state.page);
  return (
    <nav className={overlaid ? 'rail rail-overlaid' : 'rail'} aria-label={strings.rail.label}>
      <div className="rail-top">
        <Button icon="plus" onClick={() => void newChat().then(focusComposer)}>
          {strings.rail.newChat}
        </Button>
        <IconButton icon="rail" label={strings.rail.hide} keys={keysText('Mod+B')} onClick={panels.toggleRail} />
      </div>
      <SearchField />
      <div className="rail-list scroll">
        <SearchHits />
        <ChatList />
      </div>
      <ul role="list" className="rail-pages" aria-label={strings.rail.pagesLabel}>
        {pages.map((entry) => (
          <li key={entry.page}>
            <button
              type="button"
              className="rail-page"
              aria-current={page === entry.page ? 'page' : undefined}
              onClick={() => showPage(entry.page)}
            >
              <Icon name={entry.icon} />
              {strings.rail.pages[entry.page]}
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function SearchField() {
  const query = useChats((state) => state.query);
  return (
    <div className="rail-search">
      <Icon name="search" />
      <input
        id="chat-search"
        type="text"
        aria-label={strings.rail.search}
        placeholder={strings.rail.search}
        value={query}
        onChange={(change) => search(change.target.value)}
        onKeyDown={(key) => {
          if (key.key !== 'Escape' || query === '') return;
          key.preventDefault();
          search('');
        }}
      />
      {query !== '' && <IconButton icon="close" label={strings.rail.clearSearch} onClick={() => search('')} />}
    </div>
  );
}

async function showHit({ chatId, messageId }: SearchHit): Promise<void> {
  if (!(await openChat(chatId))) return;
  showPage('chat');
  if (messageId === null) return;
  useUi.setState({ revealId: messageId });
  // It may have been said in another version than the one on display.
  await showMessage(messageId);
}

function SearchHits() {
  const hits = useChats((state) => state.hits);
  const query = useChats((state) => state.query);
  if (hits === null) return null;
  if (hits.length === 0) return <p className="rail-note">{strings.rail.noHits(query)}</p>;
  return (
    <ul role="list">
      {hits.map((hit) => (
        <li key={`${hit.chatId} ${hit.messageId ?? ''} ${hit.matchStart}`}>
          <button type="button" className="hit" onClick={() => void showHit(hit)}>
            <span className="hit-title">{hit.title === '' ? strings.rail.untitled : hit.title}</span>
            <span className="hit-snippet">
              {hit.snippet.slice(0, hit.matchStart)}
              <mark>{hit.snippet.slice(hit.matchStart, hit.matchEnd)}</mark>
              {hit.snippet.slice(hit.matchEnd)}
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}
