import type { Startup, StartupMark } from '../../../main/contract/metrics.ts';
import { durationText, momentText } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Notice } from '../../ui/Notice.tsx';
import { FigureTable } from './FigureTable.tsx';
import { Panel } from './Panel.tsx';
import { useAsked } from './useAsked.ts';

const listed = 20;

interface Span {
  readonly from: StartupMark;
  readonly to: StartupMark;
  readonly kind: 'app' | 'page' | 'model';
}

/** What leads to what: each bar begins where the one before it ended, or where it was asked for. */
const afterApp: readonly Span[] = [
  { from: 'pageBegin', to: 'firstPaint', kind: 'page' },
  { from: 'firstPaint', to: 'composer', kind: 'page' },
  { from: 'modelBegin', to: 'modelMapped', kind: 'model' },
  { from: 'modelMapped', to: 'modelReady', kind: 'model' },
];

/** A window comes before the services behind it; the API alone has services first. */
function spansOf({ services = Infinity, shell = Infinity }: Startup['marksMs']): readonly Span[] {
  const [first, second] = shell < services ? (['shell', 'services'] as const) : (['services', 'shell'] as const);
  return [{ from: 'process', to: first, kind: 'app' }, { from: first, to: second, kind: 'app' }, ...afterApp];
}

/** Waterfall of the newest start, and the marks of the ones before. */
export function StartTab() {
  const { value, error } = useAsked('metrics.startups', { limit: listed });
  const [newest] = value ?? [];
  return (
    <>
      {error !== null && <Notice tone="warn">{error.message}</Notice>}
      <Panel title={strings.latency.startNow} help={strings.latency.startHelp}>
        {newest === undefined ? <p className="soft">{strings.latency.startEmpty}</p> : <Waterfall startup={newest} />}
      </Panel>
      {value !== null && value.length > 0 && (
        <Panel title={strings.latency.start}>
          <Starts startups={value} />
        </Panel>
      )}
    </>
  );
}

function Waterfall({ startup }: { readonly startup: Startup }) {
  const { marksMs } = startup;
  const last = Math.max(1, ...Object.values(marksMs));
  return (
    <ol role="list" className="waterfall">
      {spansOf(marksMs).map(({ from, to, kind }) => {
        const begin = marksMs[from];
        const end = marksMs[to];
        return (
          <li key={to}>
            <span className="waterfall-name">{strings.latency.marks[to]}</span>
            <span className="waterfall-track">
              {begin !== undefined && end !== undefined && (
                <span
                  className={`waterfall-bar waterfall-${kind}`}
                  style={{ left: `${(100 * begin) / last}%`, width: `${(100 * Math.max(0, end - begin)) / last}%` }}
                />
              )}
            </span>
            <span className="figures waterfall-figure">
              {end === undefined ? strings.common.none : durationText(1e6 * end)}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

/** In the order in which they usually come. */
const columns: readonly StartupMark[] = ['shell', 'services', 'firstPaint', 'composer', 'modelMapped', 'modelReady'];

function Starts({ startups }: { readonly startups: readonly Startup[] }) {
  const { latency } = strings;
  const head = columns.map((mark) => ({ name: latency.marks[mark], className: 'wrapping' }));
  return (
    <FigureTable title={latency.start} head={[latency.when, ...head]}>
      {startups.map(({ id, at, appVersion, marksMs }) => (
        <tr key={id}>
          <th scope="row" title={latency.version(appVersion)}>
            {momentText(at)}
          </th>
          {columns.map((mark) => {
            const ms = marksMs[mark];
            return <td key={mark}>{ms === undefined ? strings.common.none : durationText(1e6 * ms)}</td>;
          })}
        </tr>
      ))}
    </FigureTable>
  );
}
