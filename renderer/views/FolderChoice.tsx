import { useState } from 'react';

import { pickFolder } from '../state/models.ts';
import { useSettings } from '../state/settings.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { Field } from '../ui/Field.tsx';

/** Asks for a folder: with the system's dialog where there is one, by its path elsewhere. */
export function FolderChoice(props: {
  readonly label: string;
  readonly fieldLabel: string;
  readonly onChoose: (path: string) => void;
}) {
  const { label, fieldLabel, onChoose } = props;
  const canPick = useSettings((state) => state.info?.canPickFolder === true);
  const [typing, setTyping] = useState(false);
  const [path, setPath] = useState('');
  if (typing) {
    return (
      <form
        className="folder-form"
        onSubmit={(submit) => {
          submit.preventDefault();
          if (path.trim() === '') return;
          setTyping(false);
          onChoose(path.trim());
        }}
      >
        <Field label={fieldLabel}>
          {({ id }) => (
            <input
              id={id}
              className="input"
              autoFocus
              value={path}
              onChange={(change) => setPath(change.target.value)}
            />
          )}
        </Field>
        <div className="row">
          <button type="submit" className="button button-plain" disabled={path.trim() === ''}>
            {strings.onboarding.use}
          </button>
          <Button onClick={() => setTyping(false)}>{strings.common.cancel}</Button>
        </div>
      </form>
    );
  }
  return (
    <Button
      icon="folder"
      onClick={() => {
        if (!canPick) {
          setTyping(true);
          return;
        }
        void pickFolder(fieldLabel).then((chosen) => {
          if (chosen !== null) onChoose(chosen);
        });
      }}
    >
      {label}
    </Button>
  );
}
