import type { ApiRequest } from '../../../main/contract/domain.ts';
import { apiStrings } from '../../apiStrings.ts';

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export function RequestTable({ requests }: { readonly requests: readonly ApiRequest[] }) {
  const { columns } = apiStrings;
  if (requests.length === 0) return <p className="soft">{apiStrings.noRequests}</p>;
  return (
    <div className="api-table scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">{columns.at}</th>
            <th scope="col">{columns.path}</th>
            <th scope="col">{columns.phase}</th>
            <th scope="col" className="number">
              {columns.prompt}
            </th>
            <th scope="col" className="number">
              {columns.output}
            </th>
            <th scope="col" className="number">
              {columns.seconds}
            </th>
          </tr>
        </thead>
        <tbody>
          {requests.map((request) => (
            <Row key={request.id} request={request} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ request }: { readonly request: ApiRequest }) {
  const { path, phase, startedAt, endedAt, promptTokens, outputTokens, status } = request;
  return (
    <tr className={phase === 'ended' ? 'soft' : 'api-running'}>
      <td className="figures">{clock.format(startedAt)}</td>
      <td className="figures">{path}</td>
      <td>{phase === 'ended' ? apiStrings.ended(status ?? 0) : apiStrings.phases[phase]}</td>
      <td className="number figures">{apiStrings.tokens(promptTokens)}</td>
      <td className="number figures">{apiStrings.tokens(outputTokens)}</td>
      <td className="number figures">{endedAt === null ? '' : apiStrings.seconds(endedAt - startedAt)}</td>
    </tr>
  );
}
