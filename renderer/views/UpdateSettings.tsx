import { useEffect, useState } from 'react';

import type { UpdateStatus } from '../../main/contract/domain.ts';
import { on, request } from '../bridge.ts';
import { errorInfo } from '../state/errors.ts';
import { updateSettings, useSettings } from '../state/settings.ts';
import { percent } from '../format.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { Notice } from '../ui/Notice.tsx';

function words(status: UpdateStatus): string {
  switch (status.state) {
    case 'downloading':
      return strings.updates.downloading(status.version, percent(status.share));
    case 'ready':
      return strings.updates.ready(status.version);
    case 'failed':
      return status.error.message;
    default:
      return strings.updates.states[status.state];
  }
}

/** New versions: asked once, looked for only then. */
export function UpdateSettings() {
  const { updates, hub } = useSettings((state) => state.settings);
  const [status, setStatus] = useState<UpdateStatus | null>(null);
  useEffect(() => {
    void request('updates.status', {}).then(setStatus, () => undefined);
    return on('updates.status', setStatus);
  }, []);
  if (status === null || status.state === 'unsupported') return <p className="soft">{strings.updates.unsupported}</p>;
  const busy = status.state === 'checking' || status.state === 'downloading';
  const check = (): void =>
    void request('updates.check', {}).then(setStatus, (thrown: unknown) =>
      setStatus({ state: 'failed', error: errorInfo(thrown) }),
    );
  return (
    <>
      <label className="switch">
        <input
          type="checkbox"
          checked={updates === 'on'}
          disabled={hub.offline}
          onChange={(change) => void updateSettings({ updates: change.target.checked ? 'on' : 'off' })}
        />
        <span>
          {strings.updates.look}
          <span className="field-help">{hub.offline ? strings.updates.offline : strings.updates.lookHelp}</span>
        </span>
      </label>
      {updates === 'on' && !hub.offline && (
        <div className="row" role="status">
          {status.state === 'failed' ? (
            <Notice tone="bad">{words(status)}</Notice>
          ) : (
            <span className="soft">{words(status)}</span>
          )}
          {status.state === 'ready' ? (
            <Button look="primary" onClick={() => void request('updates.install', {})}>
              {strings.updates.install}
            </Button>
          ) : (
            <Button disabled={busy} onClick={check}>
              {strings.updates.check}
            </Button>
          )}
        </div>
      )}
    </>
  );
}
