import { useEffect } from 'react';

import { useUi } from '../state/ui.ts';
import { commandsFor, matches } from './commands.ts';
import { usePanels } from './panels.ts';

/** Keys of the whole window. No single key but Esc does anything, and Esc only stops. */
export function useShortcuts(): void {
  const panels = usePanels();
  useEffect(() => {
    const listen = (pressed: KeyboardEvent): void => {
      if (pressed.defaultPrevented || pressed.isComposing || useUi.getState().paletteOpen) return;
      if (pressed.key === 'Escape' && useUi.getState().overlay !== null) {
        panels.closeOverlay();
        return;
      }
      const command = commandsFor(panels).find((entry) => entry.keys !== undefined && matches(entry.keys, pressed));
      if (command === undefined || command.possible?.() === false) return;
      pressed.preventDefault();
      command.run();
    };
    window.addEventListener('keydown', listen);
    return () => window.removeEventListener('keydown', listen);
  }, [panels]);
}
