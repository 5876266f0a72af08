import { useEffect } from 'react';

import { pathOf } from '../bridge.ts';
import { importModel } from '../state/models.ts';
import { showPage } from '../state/ui.ts';

const hasFiles = (drag: DragEvent): boolean => drag.dataTransfer?.types.includes('Files') === true;

/** A model folder that is dropped anywhere on the page is added to the installed ones. In a browser nothing happens. */
export function useModelDrop(): void {
  useEffect(() => {
    const allow = (drag: DragEvent): void => {
      if (hasFiles(drag)) drag.preventDefault();
    };
    const drop = (drag: DragEvent): void => {
      if (!hasFiles(drag)) return;
      // Else the window would go to the file.
      drag.preventDefault();
      const [file] = drag.dataTransfer?.files ?? [];
      const path = file === undefined ? null : pathOf(file);
      if (path === null) return;
      showPage('models');
      void importModel(path);
    };
    window.addEventListener('dragover', allow);
    window.addEventListener('drop', drop);
    return () => {
      window.removeEventListener('dragover', allow);
      window.removeEventListener('drop', drop);
    };
  }, []);
}
