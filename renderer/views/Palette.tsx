import { useId, useMemo, useState } from 'react';

import { openChat } from '../state/chat.ts';
import { useChats } from '../state/chats.ts';
import { focusComposer, setPalette, showPage, useUi } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { Dialog } from '../ui/Dialog.tsx';
import { commandsFor, keysText } from './commands.ts';
import { usePanels } from './panels.ts';

interface Entry {
  readonly id: string;
  readonly label: string;
  readonly hint: string;
  readonly run: () => void;
}

const shownChats = 8;

/** Every letter of the query in order: "nch" finds "New chat". Smaller is better; null: not found. */
function distance(query: string, label: string): number | null {
  const text = label.toLowerCase();
  const at = text.indexOf(query);
  if (at !== -1) return at;
  let from = 0;
  let gaps = 100;
  for (const letter of query.replaceAll(' ', '')) {
    const next = text.indexOf(letter, from);
    if (next === -1) return null;
    gaps += next - from;
    from = next + 1;
  }
  return gaps;
}

function find(entries: readonly Entry[], query: string): readonly Entry[] {
  const words = query.trim().toLowerCase();
  if (words === '') return entries;
  return entries
    .map((entry) => ({ entry, rank: distance(words, entry.label) }))
    .filter((found): found is { entry: Entry; rank: number } => found.rank !== null)
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ entry }) => entry);
}

export function Palette() {
  const open = useUi((state) => state.paletteOpen);
  return (
    <Dialog open={open} label={strings.palette.title} className="palette" onClose={() => setPalette(false)}>
      <PaletteBody />
    </Dialog>
  );
}

function PaletteBody() {
  const panels = usePanels();
  const chats = useChats((state) => state.chats);
  const [query, setQuery] = useState('');
  const [index, setIndex] = useState(0);
  const listId = useId();
  const entries = useMemo(() => {
    const commands: readonly Entry[] = commandsFor(panels)
      .filter((command) => command.name !== 'palette' && command.possible?.() !== false)
      .map((command) => ({
        id: command.name,
        label: strings.palette.commands[command.name],
        hint: command.keys === undefined ? '' : keysText(command.keys),
        run: command.run,
      }));
    const recent = chats
      .toSorted((a, b) => b.updatedAt - a.updatedAt)
      .map((chat): Entry => ({
        id: chat.id,
        label: chat.title === '' ? strings.rail.untitled : chat.title,
        hint: strings.palette.chat,
        run: () =>
          void openChat(chat.id)
            .then(() => showPage('chat'))
            .then(focusComposer),
      }));
    return query.trim() === '' ? [...commands, ...recent.slice(0, shownChats)] : [...commands, ...recent];
  }, [panels, chats, query]);
  const found = find(entries, query);
  const current = found[Math.min(index, found.length - 1)];

  const choose = (entry: Entry | undefined): void => {
    if (entry === undefined) return;
    setPalette(false);
    // After the dialog has given the focus back.
    requestAnimationFrame(entry.run);
  };

  return (
    <>
      <input
        className="palette-input"
        role="combobox"
        aria-label={strings.palette.title}
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={current === undefined ? undefined : `${listId}-${current.id}`}
        placeholder={strings.palette.placeholder}
        autoFocus
        value={query}
        onChange={(change) => {
          setQuery(change.target.value);
          setIndex(0);
        }}
        onKeyDown={(key) => {
          const step = key.key === 'ArrowDown' ? 1 : key.key === 'ArrowUp' ? -1 : 0;
          if (step !== 0 && found.length > 0) {
            key.preventDefault();
            const next = (Math.min(index, found.length - 1) + step + found.length) % found.length;
            setIndex(next);
            document.getElementById(`${listId}-${found[next]?.id ?? ''}`)?.scrollIntoView({ block: 'nearest' });
          } else if (key.key === 'Enter' && !key.nativeEvent.isComposing) {
            key.preventDefault();
            choose(current);
          }
        }}
      />
      <ul id={listId} role="listbox" aria-label={strings.palette.title} className="palette-list scroll">
        {found.map((entry) => (
          <li
            key={entry.id}
            id={`${listId}-${entry.id}`}
            role="option"
            aria-selected={entry === current}
            className="palette-item"
            onPointerMove={() => setIndex(found.indexOf(entry))}
            onClick={() => choose(entry)}
          >
            <span className="palette-label">{entry.label}</span>
            <kbd>{entry.hint}</kbd>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="palette-nothing">{strings.palette.nothing}</p>}
    </>
  );
}
