import { useState } from 'react';

import { catalog } from '../../../main/contract/domain.ts';
import { strings } from '../../strings.ts';
import { Field } from '../../ui/Field.tsx';
import { OnboardingCard } from '../OnboardingCard.tsx';

const pattern = /^[\w.-]{1,96}\/[\w.-]{1,96}$/;

/** Any repository of the same architecture. */
export function OtherRepository(props: { readonly shown: string | null; readonly onDetails: (repo: string) => void }) {
  const { shown, onDetails } = props;
  const [typed, setTyped] = useState('');
  // The address of its page says the same as its name.
  const repo = typed.trim().replace(/^https?:\/\/[^/]+\//, '');
  const wrong = repo !== '' && !pattern.test(repo);
  const other = shown !== null && !catalog.some((entry) => entry.repo === shown);
  return (
    <>
      <form
        className="repo-form"
        onSubmit={(submit) => {
          submit.preventDefault();
          if (pattern.test(repo)) onDetails(repo);
        }}
      >
        <Field label={strings.library.otherRepo} help={strings.library.otherRepoHelp}>
          {({ id, helpId }) => (
            <input
              id={id}
              className="input figures"
              aria-describedby={helpId}
              aria-invalid={wrong}
              placeholder="owner/name"
              spellCheck={false}
              value={typed}
              onChange={(change) => setTyped(change.target.value)}
            />
          )}
        </Field>
        <button type="submit" className="button button-plain" disabled={!pattern.test(repo)}>
          {strings.library.look}
        </button>
      </form>
      {other && <OnboardingCard repo={shown} />}
    </>
  );
}
