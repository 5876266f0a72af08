import { useState } from 'react';

import { decodeTokensPerSecond } from '../../../main/contract/domain.ts';
import { keepsPromise, seriesNames } from '../../../main/contract/metrics.ts';
import type { AnswerRecord, MetricsOverview } from '../../../main/contract/metrics.ts';
import { useLatency } from '../../state/latency.ts';
import { inspect } from '../../state/ui.ts';
import { count, durationText, momentText, rateText } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';
import { Notice } from '../../ui/Notice.tsx';
import { Anatomy } from './Anatomy.tsx';
import { PercentileTable, SeriesTable, StatsTable, pageClockNs } from './LatencyFigures.tsx';
import { FigureTable } from './FigureTable.tsx';
import { Fact, Facts } from '../../ui/Fact.tsx';
import { Panel } from './Panel.tsx';
import { WorstTokens } from './WorstTokens.tsx';
import { useAsked } from './useAsked.ts';

const listed = 200;

/** Every measured answer, of chats and of the API: totals of this session, the list, and one of it in full. */
export function HistoryTab() {
  const version = useLatency((state) => state.records);
  const overview = useAsked('metrics.overview', {}, version);
  const answers = useAsked('metrics.answers', { limit: listed }, version);
  const [shownId, setShownId] = useState<number | null>(null);
  const error = overview.error ?? answers.error;
  const shown = answers.value?.find(({ id }) => id === shownId) ?? null;
  return (
    <>
      {error !== null && <Notice tone="warn">{error.message}</Notice>}
      {overview.value !== null && <Session overview={overview.value} answers={answers.value ?? []} />}
      <Panel title={strings.latency.answers}>
        {answers.value?.length === 0 ? (
          <p className="soft">{strings.latency.historyEmpty}</p>
        ) : (
          <AnswerTable answers={answers.value ?? []} shownId={shownId} onShow={setShownId} />
        )}
      </Panel>
      {shown !== null && <Shown key={shown.id} record={shown} />}
    </>
  );
}

function Session({
  overview,
  answers,
}: {
  readonly overview: MetricsOverview;
  readonly answers: readonly AnswerRecord[];
}) {
  const { session, goodputTokensPerSecond, environment } = overview;
  return (
    <Panel title={strings.latency.session}>
      <PercentileTable
        title={strings.latency.session}
        rows={seriesNames.map((name) => ({
          name: strings.latency.sessionNames[name],
          values: session[name].percentiles,
          total: session[name].total,
          ...(name === 'ipc' || name === 'paint' ? { finestNs: pageClockNs } : {}),
        }))}
      />
      <Facts>
        <Fact term={strings.latency.goodput}>
          {goodputTokensPerSecond === null ? strings.common.none : rateText(goodputTokensPerSecond)}
        </Fact>
        {environment !== null && (
          <Fact term={strings.latency.environment}>
            {environment.device} · {environment.format} · {environment.hash}
          </Fact>
        )}
      </Facts>
      <p className="field-help">
        {strings.latency.goodputHelp}{' '}
        {answers.length > 0 &&
          strings.latency.kept(answers.filter(({ stats }) => keepsPromise(stats)).length, answers.length)}
      </p>
    </Panel>
  );
}

function AnswerTable(props: {
  readonly answers: readonly AnswerRecord[];
  readonly shownId: number | null;
  readonly onShow: (id: number) => void;
}) {
  const { answers, shownId, onShow } = props;
  const { latency } = strings;
  return (
    <FigureTable
      title={latency.answers}
      className="answers"
      head={[
        latency.when,
        latency.tokensHead,
        'TTFT',
        'tok/s',
        'p50',
        'p95',
        'p99',
        'max',
        { name: latency.ipcHead, className: 'wide-only' },
        { name: latency.paintHead, className: 'wide-only' },
      ]}
    >
      {answers.map((record) => (
        <AnswerRow key={record.id} record={record} shown={record.id === shownId} onShow={onShow} />
      ))}
    </FigureTable>
  );
}

function AnswerRow(props: {
  readonly record: AnswerRecord;
  readonly shown: boolean;
  readonly onShow: (id: number) => void;
}) {
  const { record, shown, onShow } = props;
  const { stats, ipcNs, paintNs } = record;
  const perSecond = decodeTokensPerSecond(stats);
  const or = (ns: number | undefined): string => (ns === undefined ? strings.common.none : durationText(ns));
  const page = (ns: number | undefined): string =>
    ns !== undefined && ns < pageClockNs ? strings.latency.below(durationText(pageClockNs)) : or(ns);
  return (
    <tr className={shown ? 'shown' : undefined}>
      <th scope="row">
        <button
          type="button"
          className="link figures"
          aria-pressed={shown}
          aria-label={strings.latency.show(momentText(record.at))}
          onClick={() => onShow(record.id)}
        >
          {momentText(record.at)}
        </button>
        {record.messageId === null && <span className="tag">{strings.latency.api}</span>}
      </th>
      <td>{count(stats.outputTokens)}</td>
      <td>{durationText(stats.ttftNs)}</td>
      <td>{perSecond === null ? strings.common.none : rateText(perSecond).replace(/\s*tok\/s$/, '')}</td>
      <td>{or(stats.itlNs?.p50)}</td>
      <td>{or(stats.itlNs?.p95)}</td>
      <td>{or(stats.itlNs?.p99)}</td>
      <td>{or(stats.itlNs?.max)}</td>
      <td className="wide-only">{page(ipcNs?.p99)}</td>
      <td className="wide-only">{page(paintNs?.p99)}</td>
    </tr>
  );
}

function Shown({ record }: { readonly record: AnswerRecord }) {
  const [chosen, setChosen] = useState<number | null>(null);
  const { messageId, stats } = record;
  return (
    <>
      <div className="dash-head">
        <h2>
          {strings.latency.shown} {momentText(record.at)}
        </h2>
        {messageId !== null && <Button onClick={() => inspect(messageId)}>{strings.latency.openLive}</Button>}
      </div>
      <div className="dash-columns">
        <div className="dash-stack">
          <Panel title={strings.latency.series} help={strings.latency.seriesHelp}>
            <SeriesTable messageId={null} stats={stats} record={record} />
          </Panel>
          <Panel title={strings.latency.worst}>
            <WorstTokens
              worst={record.worst}
              medianNs={stats.itlNs?.p50 ?? null}
              {...{ chosen }}
              onChoose={setChosen}
            />
          </Panel>
        </div>
        <Panel title={strings.latency.figures}>
          <StatsTable stats={stats} ttstNs={record.ttstNs} />
        </Panel>
      </div>
      <Panel title={strings.latency.anatomy} help={strings.latency.anatomyHelp}>
        <Anatomy record={record} limits={null} />
      </Panel>
    </>
  );
}
