/** The menu under the right mouse button: what can be done with the text there, and the spell checker's words. */
import { Menu } from 'electron';
import type { MenuItemConstructorOptions, WebContents } from 'electron';

const maxSuggestions = 5;

export function offerContextMenu(contents: WebContents): void {
  contents.on(
    'context-menu',
    (_event, { isEditable, selectionText, editFlags, misspelledWord, dictionarySuggestions }) => {
      const items: MenuItemConstructorOptions[] = [];
      if (misspelledWord !== '') {
        for (const word of dictionarySuggestions.slice(0, maxSuggestions)) {
          items.push({ label: word, click: () => contents.replaceMisspelling(word) });
        }
        const add = (): boolean => contents.session.addWordToSpellCheckerDictionary(misspelledWord);
        items.push({ label: 'Add to dictionary', click: () => void add() }, { type: 'separator' });
      }
      if (isEditable) items.push({ role: 'cut', enabled: editFlags.canCut });
      if (isEditable || selectionText !== '') items.push({ role: 'copy', enabled: editFlags.canCopy });
      if (isEditable) items.push({ role: 'paste', enabled: editFlags.canPaste });
      if (items.length > 0) Menu.buildFromTemplate([...items, { role: 'selectAll' }]).popup();
    },
  );
}
