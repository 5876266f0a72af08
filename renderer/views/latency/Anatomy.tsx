import type { Percentiles } from '../../../main/contract/domain.ts';
import type { Anatomy as Times, AnswerRecord, Roofline } from '../../../main/contract/metrics.ts';
import { bandwidthText, bytesText, durationText, percent } from '../../format.ts';
import { strings } from '../../strings.ts';
import { pageClockNs } from './LatencyFigures.tsx';
import { FigureTable } from './FigureTable.tsx';
import { Fact, Facts } from '../../ui/Fact.tsx';
import { bytesByClass, colourOf, partsOf } from './stages.ts';
import type { Share } from './stages.ts';

/** Where a token's time goes: the median token and the longest, and what happens after the engine is done with it. */
export function Anatomy(props: { readonly record: AnswerRecord | null; readonly limits: Roofline | null }) {
  const { record, limits } = props;
  if (record === null) return <p className="soft">{strings.latency.anatomyNoneYet}</p>;
  const { anatomy, stats } = record;
  return (
    <div className="stack">
      {anatomy === null || stats.itlNs === null ? (
        <p className="soft">{strings.latency.anatomyNone}</p>
      ) : (
        <Measured bars={barsOf(record, anatomy, stats.itlNs)} limits={limits} />
      )}
      <AfterEngine record={record} />
    </div>
  );
}

function barsOf({ worst }: AnswerRecord, { medianNs, worstNs }: Times, itlNs: Percentiles): readonly Bar[] {
  const longestNs = worst[0]?.gapNs ?? itlNs.max;
  return [
    { name: strings.latency.anatomyMedian, gapNs: itlNs.p50, parts: partsOf(medianNs, itlNs.p50) },
    { name: strings.latency.anatomyWorst, gapNs: longestNs, parts: partsOf(worstNs, longestNs) },
  ];
}

function Measured({ bars, limits }: { readonly bars: readonly Bar[]; readonly limits: Roofline | null }) {
  return (
    <>
      <Bars bars={bars} />
      <ClassTable bars={bars} limits={limits} />
    </>
  );
}

interface Bar {
  readonly name: string;
  readonly gapNs: number;
  readonly parts: readonly { readonly share: Share; readonly ns: number }[];
}

/** Stacked bars on one scale. */
function Bars({ bars }: { readonly bars: readonly Bar[] }) {
  const longest = Math.max(...bars.flatMap(({ gapNs, parts }) => [gapNs, parts.reduce((sum, { ns }) => sum + ns, 0)]));
  return (
    <div className="anatomy">
      {bars.map(({ name, gapNs, parts }) => (
        <div key={name} className="anatomy-row">
          <span className="anatomy-name">{name}</span>
          <span className="anatomy-bar">
            {parts.map(({ share, ns }) => (
              <span
                key={share}
                className="anatomy-part"
                title={`${strings.latency.stages[share]} ${durationText(ns)}`}
                style={{ width: `${(100 * ns) / longest}%`, background: colourOf(share) }}
              />
            ))}
          </span>
          <span className="figures anatomy-total">{durationText(gapNs)}</span>
        </div>
      ))}
    </div>
  );
}

/** The figures behind the bars, and how near each class comes to the limit of the memory. */
function ClassTable({ bars, limits }: { readonly bars: readonly Bar[]; readonly limits: Roofline | null }) {
  const [median, longest] = bars;
  const bytes = limits === null ? null : bytesByClass(limits.stages);
  const bytesPerSecond = limits?.limits?.bytesPerSecond ?? null;
  const { latency, common } = strings;
  return (
    <FigureTable
      title={latency.anatomy}
      className="stage-table"
      head={[
        latency.stage,
        latency.anatomyMedian,
        latency.ofGap,
        latency.anatomyWorst,
        ...(bytes === null ? [] : [latency.bytes, latency.speed, latency.ofLimit]),
      ]}
    >
      {median?.parts.map(({ share, ns }, index) => {
        const moved = bytes?.[index] ?? 0;
        const speed = ns > 0 && moved > 0 ? (1e9 * moved) / ns : null;
        return (
          <tr key={share}>
            <th scope="row">
              <span className="legend-colour" style={{ background: colourOf(share) }} />
              {latency.stages[share]}
            </th>
            <td>{durationText(ns)}</td>
            <td>{percent(ns / Math.max(1, median.gapNs))}</td>
            <td>{durationText(longest?.parts[index]?.ns ?? 0)}</td>
            {bytes !== null && (
              <>
                <td>{moved === 0 ? common.none : bytesText(moved)}</td>
                <td>{speed === null ? common.none : bandwidthText(speed)}</td>
                <td>{speed === null || bytesPerSecond === null ? common.none : percent(speed / bytesPerSecond)}</td>
              </>
            )}
          </tr>
        );
      })}
    </FigureTable>
  );
}

function AfterEngine({ record }: { readonly record: AnswerRecord }) {
  const { detokeniseNs, ipcNs, paintNs } = record;
  const seen = (ns: number | undefined): string => {
    if (ns === undefined) return strings.latency.notSeen;
    return ns < pageClockNs ? strings.latency.below(durationText(pageClockNs)) : durationText(ns);
  };
  return (
    <div>
      <h3 className="panel-sub">{strings.latency.after}</h3>
      <Facts>
        <Fact term={strings.latency.detokenise}>
          {detokeniseNs === null ? strings.common.none : durationText(detokeniseNs)}
        </Fact>
        <Fact term={strings.latency.toPage}>{seen(ipcNs?.p50)}</Fact>
        <Fact term={strings.latency.toScreen}>{seen(paintNs?.p50)}</Fact>
      </Facts>
      <p className="field-help">{strings.latency.afterHelp}</p>
    </div>
  );
}
