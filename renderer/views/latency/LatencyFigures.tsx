import type { GenerationStats, Percentiles } from '../../../main/contract/domain.ts';
import { tpotNs } from '../../../main/contract/metrics.ts';
import type { PageSeries } from '../../../main/contract/metrics.ts';
import { seenTimings, useLatency } from '../../state/latency.ts';
import { count, durationText } from '../../format.ts';
import { strings } from '../../strings.ts';
import { FigureTable } from './FigureTable.tsx';
import { Fact, Facts } from '../../ui/Fact.tsx';

/** The measured facts of one answer. */
export function StatsTable({
  stats,
  ttstNs = null,
}: {
  readonly stats: GenerationStats;
  readonly ttstNs?: number | null;
}) {
  const tpot = tpotNs(stats);
  return (
    <Facts>
      <Fact term={strings.latency.promptTokens}>{count(stats.promptTokens)}</Fact>
      <Fact term={strings.latency.reusedTokens}>{count(stats.reusedTokens)}</Fact>
      {stats.typedTokens !== undefined && <Fact term={strings.latency.typedTokens}>{count(stats.typedTokens)}</Fact>}
      <Fact term={strings.latency.ttft}>{durationText(stats.ttftNs)}</Fact>
      <Fact term={strings.latency.outputTokens}>{count(stats.outputTokens)}</Fact>
      <Fact term={strings.latency.queue}>{durationText(stats.queueNs)}</Fact>
      <Fact term={strings.latency.prefillTime}>{durationText(stats.prefillNs)}</Fact>
      {ttstNs !== null && <Fact term={strings.latency.ttst}>{durationText(ttstNs)}</Fact>}
      {tpot !== null && <Fact term={strings.latency.tpot}>{durationText(tpot)}</Fact>}
      <Fact term={strings.latency.decodeTime}>{durationText(stats.decodeNs)}</Fact>
      <Fact term={strings.latency.finish}>{strings.latency.finishReasons[stats.finishReason]}</Fact>
      <Fact term={strings.latency.seed}>{String(stats.seed)}</Fact>
      <Fact term={strings.latency.ran}>
        {strings.model.devices[stats.device]} · {stats.format}
      </Fact>
    </Facts>
  );
}

/** The three series of an answer, each from whoever knows it best: main's record, else what this page saw. */
export function SeriesTable(props: {
  readonly messageId: string | null;
  readonly stats: GenerationStats | null;
  readonly record?: PageSeries | null;
}) {
  const { messageId, stats, record = null } = props;
  useLatency((state) => state.version);
  const seen = messageId === null ? null : seenTimings(messageId);
  const engine = stats?.itlNs ?? seen?.itlNs.histogram.percentiles() ?? null;
  const ipc = record?.ipcNs ?? seen?.ipcNs.histogram.percentiles() ?? null;
  const paint = record?.paintNs ?? seen?.paintNs.histogram.percentiles() ?? null;
  return (
    <PercentileTable
      title={strings.latency.series}
      rows={[
        { name: strings.latency.engine, values: engine },
        { name: strings.latency.ipc, values: ipc, finestNs: pageClockNs },
        { name: strings.latency.paint, values: paint, finestNs: pageClockNs },
      ]}
    />
  );
}

/** What the clock of a page tells apart. */
export const pageClockNs = 100_000;

export interface PercentileRow {
  readonly name: string;
  readonly values: Percentiles | null;
  /** What its clock tells apart. */
  readonly finestNs?: number;
  readonly total?: number;
}

export function PercentileTable(props: { readonly title: string; readonly rows: readonly PercentileRow[] }) {
  const { title, rows } = props;
  const counted = rows.some(({ total }) => total !== undefined);
  return (
    <FigureTable
      title={title}
      head={[strings.latency.seriesHead, 'p50', 'p95', 'p99', 'max', ...(counted ? [strings.latency.measured] : [])]}
    >
      {rows.map((row) => (
        <SeriesRow key={row.name} {...row} />
      ))}
    </FigureTable>
  );
}

function SeriesRow({ name, values, finestNs = 0, total }: PercentileRow) {
  const show = (ns: number): string =>
    ns < finestNs ? strings.latency.below(durationText(finestNs)) : durationText(ns);
  return (
    <tr>
      <th scope="row">{name}</th>
      {values === null ? (
        <td colSpan={4} className="soft">
          {total === undefined ? strings.latency.notSeen : strings.common.none}
        </td>
      ) : (
        [values.p50, values.p95, values.p99, values.max].map((value, index) => <td key={index}>{show(value)}</td>)
      )}
      {total !== undefined && <td>{count(total)}</td>}
    </tr>
  );
}
