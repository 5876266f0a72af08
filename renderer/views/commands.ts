/** Everything that can be done from the keyboard: one list for the shortcuts and for the palette. */
import { lastOf, newChat, openChat, rawText, regenerate, stopAnswer, useChat } from '../state/chat.ts';
import { selectBusy } from '../state/chatReducers.ts';
import { groupChats, useChats } from '../state/chats.ts';
import { unloadModel, useEngine } from '../state/engine.ts';
import { updateSettings } from '../state/settings.ts';
import { focusComposer, setEditing, setPalette, showPage, toggleRaw, toggleTokens } from '../state/ui.ts';
import type { strings } from '../strings.ts';
import { copyText } from '../ui/clipboard.ts';
import type { Panels } from './panels.ts';

export interface Command {
  readonly name: keyof typeof strings.palette.commands;
  /** 'Mod' is Ctrl, and Cmd on a Mac. The last part is a KeyboardEvent.code without 'Key'. */
  readonly keys?: string;
  /** Absent: always possible. */
  readonly possible?: () => boolean;
  readonly run: () => void;
}

const idle = (): boolean => !selectBusy(useChat.getState());

/** Opens the chat before (-1) or after (+1) the open one in the list. */
function stepChat(step: number): void {
  const order = groupChats(useChats.getState().chats, Date.now()).flatMap((entry) => entry.chats);
  const index = order.findIndex((chat) => chat.id === useChat.getState().open?.id);
  const target = order[index + step];
  if (target !== undefined) void openChat(target.id).then(() => showPage('chat'));
}

function onLastAnswer(show: (id: string) => void): void {
  const answer = lastOf('assistant');
  if (answer === null) return;
  showPage('chat');
  show(answer.id);
}

export function focusSearch(): void {
  requestAnimationFrame(() => document.getElementById('chat-search')?.focus());
}

export function commandsFor(panels: Panels): readonly Command[] {
  return [
    { name: 'newChat', keys: 'Mod+Shift+O', run: () => void newChat().then(focusComposer) },
    {
      name: 'search',
      keys: 'Mod+Shift+F',
      run: () => {
        if (panels.rail === 'closed') panels.toggleRail();
        focusSearch();
      },
    },
    { name: 'focusComposer', keys: 'Mod+L', run: focusComposer },
    { name: 'stop', keys: 'Escape', possible: () => !idle(), run: () => void stopAnswer() },
    {
      name: 'regenerate',
      keys: 'Mod+Shift+G',
      possible: () => idle() && lastOf('assistant') !== null,
      run: () => {
        const answer = lastOf('assistant');
        if (answer !== null) void regenerate(answer.id);
      },
    },
    {
      name: 'editLast',
      keys: 'Mod+Shift+E',
      possible: () => lastOf('user') !== null,
      run: () => {
        showPage('chat');
        setEditing(lastOf('user')?.id ?? null);
      },
    },
    {
      name: 'copyLast',
      keys: 'Mod+Shift+X',
      possible: () => lastOf('assistant') !== null,
      run: () => {
        const answer = lastOf('assistant');
        if (answer !== null) void copyText(rawText(answer));
      },
    },
    {
      name: 'rawLast',
      possible: () => lastOf('assistant') !== null,
      run: () => onLastAnswer(toggleRaw),
    },
    {
      name: 'tokensLast',
      possible: () => idle() && lastOf('assistant') !== null,
      run: () => onLastAnswer(toggleTokens),
    },
    { name: 'toggleRail', keys: 'Mod+B', run: panels.toggleRail },
    {
      name: 'toggleDrawer',
      keys: 'Mod+.',
      run: () => {
        showPage('chat');
        panels.toggleDrawer();
      },
    },
    { name: 'previousChat', keys: 'Alt+ArrowUp', run: () => stepChat(-1) },
    { name: 'nextChat', keys: 'Alt+ArrowDown', run: () => stepChat(1) },
    { name: 'chat', keys: 'Mod+1', run: () => showPage('chat') },
    { name: 'models', keys: 'Mod+2', run: () => showPage('models') },
    { name: 'dashboard', keys: 'Mod+3', run: () => showPage('dashboard') },
    { name: 'api', keys: 'Mod+4', run: () => showPage('api') },
    { name: 'settings', keys: 'Mod+,', run: () => showPage('settings') },
    { name: 'palette', keys: 'Mod+K', run: () => setPalette(true) },
    { name: 'themeLight', run: () => void updateSettings({ theme: 'light' }) },
    { name: 'themeDark', run: () => void updateSettings({ theme: 'dark' }) },
    { name: 'themeSystem', run: () => void updateSettings({ theme: 'system' }) },
    {
      name: 'unload',
      possible: () => useEngine.getState().status?.state === 'ready',
      run: () => void unloadModel(),
    },
  ];
}

const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);

/** As people read it: Ctrl+Shift+O, or ⇧⌘O on a Mac. */
export function keysText(keys: string): string {
  const arrows = keys.replace('ArrowUp', '↑').replace('ArrowDown', '↓').replace('Escape', 'Esc');
  if (!isMac) return arrows.replace('Mod', 'Ctrl');
  return arrows.replace('Alt+', '⌥').replace('Shift+', '⇧').replace('Mod+', '⌘');
}

const codes: Readonly<Record<string, string>> = { '.': 'Period', ',': 'Comma' };

export function matches(keys: string, pressed: KeyboardEvent): boolean {
  const parts = keys.split('+');
  const key = parts.at(-1) ?? '';
  const code = codes[key] ?? (/^[A-Z]$/.test(key) ? `Key${key}` : /^\d$/.test(key) ? `Digit${key}` : key);
  const mod = isMac ? pressed.metaKey : pressed.ctrlKey;
  const other = isMac ? pressed.ctrlKey : pressed.metaKey;
  return (
    pressed.code === code &&
    mod === parts.includes('Mod') &&
    pressed.shiftKey === parts.includes('Shift') &&
    pressed.altKey === parts.includes('Alt') &&
    !other
  );
}
