import { useEffect, useState } from 'react';

import type { HubPart, HubSettings as Values, HubTest } from '../../../main/contract/domain.ts';
import { forgetTests, loadTokenSource, setToken, testHub, testPart, useHub } from '../../state/hub.ts';
import { updateSettings, useSettings } from '../../state/settings.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';
import { Field } from '../../ui/Field.tsx';
import { Notice } from '../../ui/Notice.tsx';
import './network.css';

type TextKey = 'endpoint' | 'proxy' | 'noProxy' | 'caFile';

const isAddress = (text: string): boolean => /^https?:$/.test(URL.parse(text)?.protocol ?? '');

const problemOf = (test: HubTest | undefined): string | null => test?.problem?.message ?? null;

/** How the app reaches the hub, and whether it does: each setting has a test of its own. */
export function HubSettings() {
  const { testing, error } = useHub();
  const words = strings.hub;
  return (
    <div className="hub-settings">
      <Setting name="endpoint" label={words.endpoint} help={words.endpointHelp} address part="endpoint" />
      <Token />
      <Setting name="proxy" label={words.proxy} help={words.proxyHelp} address part="proxy" />
      <Setting name="noProxy" label={words.noProxy} help={words.noProxyHelp} />
      <Setting name="caFile" label={words.caFile} help={words.caFileHelp} part="caFile" />
      <div>
        <Button disabled={testing.length > 0} onClick={() => void testHub()}>
          {testing.length > 1 ? words.testing : words.testAll}
        </Button>
      </div>
      {error !== null && <Notice tone="bad">{error.message}</Notice>}
    </div>
  );
}

/** The button that tries one setting. */
function TestButton({ part, label }: { readonly part: HubPart; readonly label: string }) {
  const testing = useHub((state) => state.testing);
  return (
    <Button aria-label={strings.hub.testOne(label)} disabled={testing.length > 0} onClick={() => void testPart(part)}>
      {testing.includes(part) ? strings.hub.testing : strings.hub.test}
    </Button>
  );
}

/** What was found to be right; what is wrong stands in the field's own line. */
function Finding({ part }: { readonly part: HubPart }) {
  const test = useHub((state) => state.tests[part]);
  const finding = test?.finding ?? null;
  return (
    <p role="status" className={`field-help hub-finding ${finding?.kind === 'unset' ? '' : 'hub-finding-good'}`}>
      {test !== undefined && finding !== null && findingText(test, finding)}
    </p>
  );
}

function findingText(test: HubTest, finding: NonNullable<HubTest['finding']>): string {
  const { findings } = strings.hub;
  switch (finding.kind) {
    case 'unset':
      return findings.unset;
    case 'answered':
      return findings.answered(test.endpoint, test.durationMs);
    case 'account':
      return findings.account(finding.user);
    case 'proxied':
      return findings.proxied(test.endpoint, test.durationMs);
    case 'direct':
      return findings.direct(test.endpoint);
    case 'certificates':
      return findings.certificates(finding.count, test.endpoint);
  }
}

/** Saved when the field is left; an address that is none is not saved. */
function Setting(props: {
  readonly name: TextKey;
  readonly label: string;
  readonly help: string;
  readonly address?: boolean;
  readonly part?: HubPart;
}) {
  const { name, label, help, address = false, part } = props;
  const problem = useHub((state) => (part === undefined ? null : problemOf(state.tests[part])));
  const saved = useSettings((state) => state.settings.hub[name]) ?? '';
  const [typed, setTyped] = useState<string | null>(null);
  const text = typed ?? saved;
  const wrong = address && text.trim() !== '' && !isAddress(text.trim());
  const save = (): void => {
    if (typed === null || wrong) return;
    setTyped(null);
    if (typed.trim() === saved) return;
    const hub: Values = useSettings.getState().settings.hub;
    forgetTests();
    void updateSettings({ hub: { ...hub, [name]: typed.trim() === '' ? null : typed.trim() } });
  };
  return (
    <div className="hub-setting">
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
      {part !== undefined && (
        <>
          <TestButton part={part} label={label} />
          <Finding part={part} />
        </>
      )}
    </div>
  );
}

/** What is typed goes to main; it never comes back. */
function Token() {
  const problem = useHub((state) => problemOf(state.tests.token));
  const source = useHub((state) => state.tokenSource);
  const [typed, setTyped] = useState('');
  useEffect(() => void loadTokenSource(), []);
  const words = strings.hub;
  return (
    <form
      className="hub-setting"
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
      <TestButton part="token" label={words.token} />
      <Finding part="token" />
      {(typed.trim() !== '' || source === 'run' || source === 'stored') && (
        <div className="row hub-token-actions">
          {typed.trim() !== '' && (
            <button type="submit" className="button button-plain">
              {words.tokenSave}
            </button>
          )}
          {(source === 'run' || source === 'stored') && (
            <Button onClick={() => void setToken(null)}>{words.tokenForget}</Button>
          )}
        </div>
      )}
    </form>
  );
}
