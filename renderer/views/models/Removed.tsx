import { useState } from 'react';

import type { ErrorInfo } from '../../../main/contract/errors.ts';
import { restoreModel, useLibrary } from '../../state/library.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';
import { Notice } from '../../ui/Notice.tsx';

/** What was deleted and can be had back, until Nemoflash ends or needs the room. */
export function Removed() {
  const removed = useLibrary((state) => state.removed);
  const [error, setError] = useState<ErrorInfo | null>(null);
  return (
    <>
      {error !== null && <Notice tone="bad">{error.message}</Notice>}
      {removed.map(({ model, freedBytes }) => (
        <Notice
          key={model.id}
          tone="plain"
          actions={
            <Button look="link" onClick={() => void restoreModel(model.id).then(setError)}>
              {strings.common.undo}
            </Button>
          }
        >
          {model.origin === 'imported'
            ? strings.library.forgotten(model.name)
            : strings.library.removed(model.name, freedBytes)}
        </Notice>
      ))}
    </>
  );
}
