import type { ReactNode } from 'react';

import type { GenerationStats, Message, Percentiles } from '../../main/contract/domain.ts';
import { seenTimings, useLatency } from '../state/latency.ts';
import { count, durationText } from '../format.ts';
import { strings } from '../strings.ts';

/** The measured facts of one answer. */
export function StatsTable({ stats }: { readonly stats: GenerationStats }) {
  return (
    <dl className="facts">
      <Row term={strings.latency.promptTokens}>{count(stats.promptTokens)}</Row>
      <Row term={strings.latency.reusedTokens}>{count(stats.reusedTokens)}</Row>
      <Row term={strings.latency.outputTokens}>{count(stats.outputTokens)}</Row>
      <Row term={strings.latency.queue}>{durationText(stats.queueNs)}</Row>
      <Row term={strings.latency.prefillTime}>{durationText(stats.prefillNs)}</Row>
      <Row term={strings.latency.decodeTime}>{durationText(stats.decodeNs)}</Row>
      <Row term={strings.latency.finish}>{strings.latency.finishReasons[stats.finishReason]}</Row>
      <Row term={strings.latency.seed}>{String(stats.seed)}</Row>
      <Row term={strings.latency.ran}>
        {strings.model.devices[stats.device]} · {stats.format}
      </Row>
    </dl>
  );
}

function Row({ term, children }: { readonly term: string; readonly children: ReactNode }) {
  return (
    <div className="fact">
      <dt>{term}</dt>
      <dd className="figures">{children}</dd>
    </div>
  );
}

/** Engine, IPC and paint, side by side and never mixed. */
export function SeriesTable({ message }: { readonly message: Message }) {
  useLatency((state) => state.version);
  const seen = seenTimings(message.id);
  const engine = message.stats?.itlNs ?? seen?.itlNs.histogram.percentiles() ?? null;
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={strings.code.table}>
      <table className="series figures">
        <thead>
          <tr>
            <th scope="col">{strings.latency.seriesHead}</th>
            <th scope="col">p50</th>
            <th scope="col">p95</th>
            <th scope="col">p99</th>
            <th scope="col">max</th>
          </tr>
        </thead>
        <tbody>
          <SeriesRow name={strings.latency.engine} values={engine} />
          <SeriesRow
            name={strings.latency.ipc}
            finestNs={pageClockNs}
            values={seen?.ipcNs.histogram.percentiles() ?? null}
          />
          <SeriesRow
            name={strings.latency.paint}
            finestNs={pageClockNs}
            values={seen?.paintNs.histogram.percentiles() ?? null}
          />
        </tbody>
      </table>
    </div>
  );
}

/** What the clock of a page tells apart. */
const pageClockNs = 100_000;

function SeriesRow(props: { readonly name: string; readonly values: Percentiles | null; readonly finestNs?: number }) {
  const { name, values, finestNs = 0 } = props;
  const show = (ns: number): string =>
    ns < finestNs ? strings.latency.below(durationText(finestNs)) : durationText(ns);
  return (
    <tr>
      <th scope="row">{name}</th>
      {values === null ? (
        <td colSpan={4} className="soft">
          {strings.latency.notSeen}
        </td>
      ) : (
        [values.p50, values.p95, values.p99, values.max].map((value, index) => <td key={index}>{show(value)}</td>)
      )}
    </tr>
  );
}
