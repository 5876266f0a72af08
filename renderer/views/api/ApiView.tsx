import { useEffect, useState } from 'react';

import { apiPortRange } from '../../../main/contract/domain.ts';
import type { ApiStatus } from '../../../main/contract/domain.ts';
import { apiStrings } from '../../apiStrings.ts';
import { loadApi, useApi } from '../../state/api.ts';
import { selectModel, useEngine } from '../../state/engine.ts';
import { updateSettings, useSettings } from '../../state/settings.ts';
import { showPage } from '../../state/ui.ts';
import { Button } from '../../ui/Button.tsx';
import { CopyButton } from '../../ui/CopyButton.tsx';
import { Field } from '../../ui/Field.tsx';
import { Notice } from '../../ui/Notice.tsx';
import { KeyField } from './KeyField.tsx';
import { RequestTable } from './RequestTable.tsx';
import { SnippetBox } from './SnippetBox.tsx';

export function ApiView() {
  const status = useApi((state) => state.status);
  const error = useApi((state) => state.error);
  useEffect(() => void loadApi(), []);
  return (
    <div className="sheet scroll api">
      <section className="section" aria-label={apiStrings.title}>
        {error !== null && <Notice tone="bad">{error.message}</Notice>}
        {status !== null && <Serving status={status} />}
      </section>
      <section className="section" aria-label={apiStrings.snippets}>
        <h2>{apiStrings.snippets}</h2>
        <SnippetBox />
      </section>
      <section className="section" aria-label={apiStrings.requests}>
        <h2>{apiStrings.requests}</h2>
        <RequestTable requests={status?.requests ?? []} />
      </section>
    </div>
  );
}

function Serving({ status }: { readonly status: ApiStatus }) {
  const settings = useSettings((state) => state.settings.api);
  const model = useEngine(selectModel);
  const change = (patch: Partial<typeof settings>) => void updateSettings({ api: { ...settings, ...patch } });
  const nextPort = settings.port < apiPortRange.max ? settings.port + 1 : apiPortRange.min;
  return (
    <>
      {status.ownedByShell ? (
        <p>{apiStrings.byShell}</p>
      ) : (
        <label className="switch">
          <input
            type="checkbox"
            role="switch"
            checked={settings.enabled}
            onChange={(event) => change({ enabled: event.target.checked })}
          />
          <span>
            {apiStrings.serve}
            <span className="field-help">{apiStrings.serveHelp}</span>
          </span>
        </label>
      )}
      {status.state === 'failed' && status.problem !== null && (
        <Notice
          tone="bad"
          actions={<Button onClick={() => change({ port: nextPort })}>{apiStrings.tryPort(nextPort)}</Button>}
        >
          {status.problem.message}
        </Notice>
      )}
      {status.state === 'on' && model === null && (
        <Notice tone="warn" actions={<Button onClick={() => showPage('models')}>{apiStrings.chooseModel}</Button>}>
          {apiStrings.noModel}
        </Notice>
      )}
      <div className="api-facts">
        <Address status={status} />
        {!status.ownedByShell && (
          <PortField key={settings.port} port={settings.port} onChange={(port) => change({ port })} />
        )}
      </div>
      <KeyField />
    </>
  );
}

function Address({ status: { state, url } }: { readonly status: ApiStatus }) {
  const address = url === null ? null : `${url}/v1`;
  return (
    <div className="field">
      <span className="field-label">{apiStrings.address}</span>
      <span className="api-line">
        <span className={`api-state api-${state}`}>{apiStrings[state]}</span>
        {address !== null && <code className="path figures">{address}</code>}
        {address !== null && <CopyButton label={apiStrings.copyAddress} text={() => address} />}
      </span>
      <p className="field-help">{apiStrings.addressHelp}</p>
    </div>
  );
}

/** Taken over when the field is left or Enter is pressed, and only when it is one. */
function PortField({ port, onChange }: { readonly port: number; readonly onChange: (port: number) => void }) {
  const [typed, setTyped] = useState(String(port));
  const { min, max } = apiPortRange;
  const value = Number(typed);
  const isValid = /^\d+$/.test(typed) && value >= min && value <= max;
  const take = () => {
    if (isValid && value !== port) onChange(value);
  };
  return (
    <Field
      label={apiStrings.port}
      help={apiStrings.portHelp(min, max)}
      error={isValid ? null : apiStrings.portHelp(min, max)}
    >
      {({ id, helpId }) => (
        <input
          id={id}
          className="input api-port figures"
          inputMode="numeric"
          aria-describedby={helpId}
          aria-invalid={!isValid}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          onBlur={take}
          onKeyDown={(event) => {
            if (event.key === 'Enter') take();
          }}
        />
      )}
    </Field>
  );
}
