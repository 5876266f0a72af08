import { useEffect, useState } from 'react';

import type { HubSettings as Values, HubTest } from '../../../main/contract/domain.ts';
import { forgetTest, loadTokenSource, setToken, testHub, useHub } from '../../state/hub.ts';
import { updateSettings, useSettings } from '../../state/settings.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';
import { Field } from '../../ui/Field.tsx';
import { Notice } from '../../ui/Notice.tsx';
import './network.css';

type TextKey = 'endpoint' | 'proxy' | 'noProxy' | 'caFile';

const isAddress = (text: string): boolean => /^https?:$/.test(URL.parse(text)?.protocol ?? '');

/** The setting that a failed test speaks of. */
function culprit({ problem }: HubTest): TextKey | 'token' | null {
  switch (problem?.code) {
    case undefined:
    case 'OFFLINE':
      return null;
    case 'PROXY':
      return 'proxy';
    case 'CERTIFICATE':
      return 'caFile';
    case 'HUB_UNAUTHORISED':
      return 'token';
    default:
      return 'endpoint';
  }
}

/** How the app reaches the hub, and whether it does. */
export function HubSettings() {
  const test = useHub((state) => state.test);
  const failed = test === null ? null : culprit(test);
  const problem = (key: TextKey): string | null => (failed === key ? (test?.problem?.message ?? null) : null);
  const words = strings.hub;
  return (
    <div className="hub-settings">
      <Setting name="endpoint" label={words.endpoint} help={words.endpointHelp} address problem={problem('endpoint')} />
      <Token problem={failed === 'token' ? (test?.problem?.message ?? null) : null} />
      <Setting name="proxy" label={words.proxy} help={words.proxyHelp} address problem={problem('proxy')} />
      <Setting name="noProxy" label={words.noProxy} help={words.noProxyHelp} problem={problem('noProxy')} />
      <Setting name="caFile" label={words.caFile} help={words.caFileHelp} problem={problem('caFile')} />
      <Test named={failed !== null} />
    </div>
  );
}

/** Saved when the field is left; an address that is none is not saved. */
function Setting(props: {
  readonly name: TextKey;
  readonly label: string;
  readonly help: string;
  readonly address?: boolean;
  readonly problem: string | null;
}) {
  const { name, label, help, address = false, problem } = props;
  const saved = useSettings((state) => state.settings.hub[name]) ?? '';
  const [typed, setTyped] = useState<string | null>(null);
  const text = typed ?? saved;
  const wrong = address && text.trim() !== '' && !isAddress(text.trim());
  const save = (): void => {
    if (typed === null || wrong) return;
    setTyped(null);
    if (typed.trim() === saved) return;
    const hub: Values = useSettings.getState().settings.hub;
    forgetTest();
    void updateSettings({ hub: { ...hub, [name]: typed.trim() === '' ? null : typed.trim() } });
  };
  return (
    <Field label={label} help={help} error={wrong ? strings.hub.invalidAddress : problem}>
      {({ id, helpId }) => (
        <input
          id={id}
          className="input"
          aria-describedby={helpId}
          aria-invalid={wrong || problem !== null}
          spellCheck={false}
          autoComplete="off"
          value={text}
          onChange={(change) => setTyped(change.target.value)}
          onBlur={save}
          onKeyDown={(key) => {
            if (key.key === 'Enter') save();
          }}
        />
      )}
    </Field>
  );
}

/** What is typed goes to main; it never comes back. */
function Token({ problem }: { readonly problem: string | null }) {
  const source = useHub((state) => state.tokenSource);
  const [typed, setTyped] = useState('');
  useEffect(() => void loadTokenSource(), []);
  const words = strings.hub;
  return (
    <form
      className="hub-token"
      onSubmit={(submit) => {
        submit.preventDefault();
        if (typed.trim() === '') return;
        void setToken(typed.trim());
        setTyped('');
      }}
    >
      <Field
        label={words.token}
        help={`${words.tokenHelp} ${source === null ? '' : words.tokenSources[source]}`}
        error={problem}
      >
        {({ id, helpId }) => (
          <input
            id={id}
            type="password"
            className="input"
            aria-describedby={helpId}
            aria-invalid={problem !== null}
            autoComplete="off"
            value={typed}
            onChange={(change) => setTyped(change.target.value)}
          />
        )}
      </Field>
      <button type="submit" className="button button-plain" disabled={typed.trim() === ''}>
        {words.tokenSave}
      </button>
      {(source === 'run' || source === 'stored') && (
        <Button onClick={() => void setToken(null)}>{words.tokenForget}</Button>
      )}
    </form>
  );
}

function Test({ named }: { readonly named: boolean }) {
  const { testing, test, error } = useHub();
  const words = strings.hub;
  const problem = error ?? test?.problem ?? null;
  return (
    <div className="hub-test">
      <Button disabled={testing} onClick={() => void testHub()}>
        {testing ? words.testing : words.test}
      </Button>
      {test?.ok === true && (
        <p role="status">
          {words.reached(test.endpoint, test.durationMs)} {test.user !== null && words.signedIn(test.user)}
        </p>
      )}
      {problem !== null && (
        <Notice tone="bad">{named && test !== null ? words.failed(test.endpoint) : problem.message}</Notice>
      )}
    </div>
  );
}
