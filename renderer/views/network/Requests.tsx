import { useEffect, useState } from 'react';

import type { NetworkRequest } from '../../../main/contract/domain.ts';
import { loadRequests, useHub } from '../../state/hub.ts';
import { bytesText, momentText } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';

const firstShown = 20;

/** Every request the app has made. */
export function Requests() {
  const requests = useHub((state) => state.requests);
  const [all, setAll] = useState(false);
  useEffect(() => void loadRequests(), []);
  const words = strings.hub;
  const shown = requests?.slice(0, all ? undefined : firstShown) ?? [];
  return (
    <div className="requests">
      <div className="requests-head">
        <h3 id="requests-title">{words.requests}</h3>
        <Button look="link" onClick={() => void loadRequests()}>
          {words.refresh}
        </Button>
      </div>
      <p className="field-help">{words.requestsHelp}</p>
      {requests?.length === 0 && <p className="soft">{words.requestsNone}</p>}
      {shown.length > 0 && <RequestTable requests={shown} />}
      {requests !== null && requests.length > shown.length && (
        <p className="soft">
          {words.shown(shown.length, requests.length)} ·{' '}
          <Button look="link" onClick={() => setAll(true)}>
            {words.showAll}
          </Button>
        </p>
      )}
    </div>
  );
}

function RequestTable({ requests }: { readonly requests: readonly NetworkRequest[] }) {
  const { columns, purposes } = strings.hub;
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-labelledby="requests-title">
      <table className="series requests-table">
        <thead>
          <tr>
            {Object.values(columns).map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {requests.map((entry, index) => (
            <tr key={`${entry.at} ${index}`}>
              <td>{momentText(entry.at)}</td>
              <td>{entry.host}</td>
              <td>{purposes[entry.purpose]}</td>
              <td>{bytesText(entry.receivedBytes)}</td>
              <td className={entry.problem === null ? '' : 'field-error'}>
                {entry.problem ?? entry.status ?? strings.common.none}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
