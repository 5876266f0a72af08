import { useChat } from '../state/chat.ts';
import { setPalette, useUi } from '../state/ui.ts';
import { apiStrings } from '../apiStrings.ts';
import { strings } from '../strings.ts';
import { IconButton } from '../ui/Button.tsx';
import { ContextMeter } from './ContextMeter.tsx';
import { DeviceBadge } from './DeviceBadge.tsx';
import { ModelChip } from './ModelChip.tsx';
import { keysText } from './commands.ts';
import { usePanels } from './panels.ts';
import { useChats } from '../state/chats.ts';

const pageTitles = {
  completion: strings.completion.title,
  models: strings.models.title,
  dashboard: strings.latency.title,
  api: apiStrings.title,
  settings: strings.settings.title,
} as const;

export function Header() {
  const panels = usePanels();
  const page = useUi((state) => state.page);
  const chatId = useChat((state) => state.open?.id ?? null);
  // The list is renewed by main when a title changes; the open chat is not.
  const chatTitle = useChats((state) => state.chats.find((chat) => chat.id === chatId)?.title ?? '');
  const title = page === 'chat' ? chatTitle || strings.rail.untitled : pageTitles[page];
  return (
    <header className="header">
      {panels.rail !== 'beside' && (
        <IconButton icon="rail" label={strings.rail.show} keys={keysText('Mod+B')} onClick={panels.toggleRail} />
      )}
      <h1 className="header-title" title={title}>
        <bdi>{title}</bdi>
      </h1>
      <ModelChip />
      <DeviceBadge />
      {page === 'chat' && <ContextMeter />}
      <IconButton
        icon="command"
        label={strings.header.palette}
        keys={keysText('Mod+K')}
        data-tour="palette"
        onClick={() => setPalette(true)}
      />
      {page === 'chat' && (
        <IconButton
          icon="drawer"
          label={panels.drawer === 'closed' ? strings.header.showDrawer : strings.header.hideDrawer}
          keys={keysText('Mod+.')}
          aria-expanded={panels.drawer !== 'closed'}
          onClick={panels.toggleDrawer}
        />
      )}
    </header>
  );
}
