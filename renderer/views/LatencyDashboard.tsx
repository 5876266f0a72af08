import { useCallback, useMemo, useRef } from 'react';

import { decodeTokensPerSecond, prefillTokensPerSecond } from '../../main/contract/domain.ts';
import type { GenerationStats, Message } from '../../main/contract/domain.ts';
import { useChat } from '../state/chat.ts';
import { runFor } from '../state/chatReducers.ts';
import { useLatency } from '../state/latency.ts';
import { useUi } from '../state/ui.ts';
import { duration, figureText, rate } from '../format.ts';
import type { Figure } from '../format.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { saveFile } from '../ui/clipboard.ts';
import { SelectField } from '../ui/Field.tsx';
import { Notice } from '../ui/Notice.tsx';
import { Sparkline } from '../ui/Sparkline.tsx';
import { ItlChart } from './ItlChart.tsx';
import { SeriesTable, StatsTable } from './LatencyFigures.tsx';
import { useGaps, useInspected } from './inspected.ts';

/** What one answer cost, and how it compares with the others of its chat. */
export function LatencyDashboard() {
  const message = useInspected();
  if (message === null) {
    return (
      <div className="sheet scroll">
        <p className="soft">{strings.latency.noAnswer}</p>
      </div>
    );
  }
  return <Answer key={message.id} message={message} />;
}

const noIds: readonly string[] = [];

/** The measured answers of the conversation on display, oldest first. */
function useMeasured(): readonly Message[] {
  const path = useChat((state) => state.open?.path ?? noIds);
  const byId = useChat((state) => state.open?.tree.byId);
  return useMemo(
    () =>
      path
        .map((id) => byId?.[id])
        .filter((entry): entry is Message => entry !== undefined && entry.role === 'assistant'),
    [path, byId],
  );
}

function Answer({ message }: { readonly message: Message }) {
  const measured = useMeasured();
  const live = useChat((state) => runFor(state, message.id) !== null);
  const { gaps, error } = useGaps(message, live);
  const canvas = useRef<HTMLCanvasElement>(null);
  const keep = useCallback((element: HTMLCanvasElement | null) => {
    canvas.current = element;
  }, []);
  return (
    <div className="sheet sheet-wide scroll" tabIndex={-1}>
      <div className="dash-head">
        <AnswerChoice message={message} answers={measured} />
        <Exports message={message} gaps={gaps} canvas={() => canvas.current} />
      </div>
      <BigFigures message={message} answers={measured} live={live} />
      <section className="panel" aria-labelledby="itl-title">
        <h2 id="itl-title">{strings.latency.chart}</h2>
        {error !== null ? (
          <Notice tone="warn">{error.message}</Notice>
        ) : (
          <ItlChart messageId={message.id} live={live} gaps={gaps} onCanvas={keep} />
        )}
        <p className="field-help">{strings.latency.chartHelp}</p>
      </section>
      <div className="dash-columns">
        <section className="panel" aria-labelledby="series-title">
          <h2 id="series-title">{strings.latency.series}</h2>
          <SeriesTable message={message} />
          <p className="field-help">{strings.latency.seriesHelp}</p>
        </section>
        {message.stats !== null && (
          <section className="panel" aria-labelledby="figures-title">
            <h2 id="figures-title">{strings.latency.figures}</h2>
            <StatsTable stats={message.stats} />
          </section>
        )}
      </div>
    </div>
  );
}

const labelChars = 48;

function AnswerChoice({ message, answers }: { readonly message: Message; readonly answers: readonly Message[] }) {
  const byId = useChat((state) => state.open?.tree.byId);
  const shown = answers.some((entry) => entry.id === message.id) ? answers : [...answers, message];
  const options = shown.map((entry, index) => {
    const question = entry.parentId === null ? undefined : byId?.[entry.parentId]?.content;
    const words = (question ?? '').replace(/\s+/g, ' ').slice(0, labelChars);
    return { value: entry.id, label: strings.latency.answer(index + 1, words) };
  });
  return (
    <SelectField
      label={strings.latency.pick}
      value={message.id}
      options={options}
      onChange={(id) => useUi.setState({ inspectedId: id })}
    />
  );
}

interface Series {
  readonly title: string;
  readonly help: string;
  readonly of: (stats: GenerationStats) => number | null;
  readonly figure: (value: number) => Figure;
}

const series: readonly Series[] = [
  { title: strings.latency.ttft, help: strings.latency.ttftHelp, of: (stats) => stats.ttftNs, figure: duration },
  { title: strings.latency.decode, help: strings.latency.decodeHelp, of: decodeTokensPerSecond, figure: rate },
  {
    title: strings.latency.itl,
    help: strings.latency.itlHelp,
    of: (stats) => stats.itlNs?.p99 ?? null,
    figure: duration,
  },
  { title: strings.latency.prefill, help: strings.latency.prefillHelp, of: prefillTokensPerSecond, figure: rate },
];

function BigFigures(props: {
  readonly message: Message;
  readonly answers: readonly Message[];
  readonly live: boolean;
}) {
  const { message, answers, live } = props;
  const running = useLatency((state) => state.live[message.id]);
  const liveValue = (title: string): number | null => {
    if (title === strings.latency.decode) return running?.tokensPerSecond ?? null;
    return title === strings.latency.itl ? (running?.itlNs?.p99 ?? null) : null;
  };
  return (
    <div className="bigs">
      {series.map((entry) => {
        const value = live ? liveValue(entry.title) : message.stats === null ? null : entry.of(message.stats);
        const history = answers
          .map((answer) => (answer.stats === null ? null : entry.of(answer.stats)))
          .filter((past): past is number => past !== null);
        return <Big key={entry.title} entry={entry} value={value} history={history} />;
      })}
    </div>
  );
}

function Big({
  entry,
  value,
  history,
}: {
  readonly entry: Series;
  readonly value: number | null;
  readonly history: readonly number[];
}) {
  const figure = value === null ? null : entry.figure(value);
  const low = figureText(entry.figure(Math.min(...history)));
  const high = figureText(entry.figure(Math.max(...history)));
  const range = low === high ? strings.latency.steady(low) : strings.latency.spread(low, high);
  const spread = history.length < 2 ? strings.latency.only : range;
  return (
    <section className="big panel" title={entry.help} aria-label={entry.title}>
      <h2 className="big-title">{entry.title}</h2>
      <p className="big-figure figures">
        {figure === null ? strings.common.none : figure.value}
        {figure !== null && <span className="big-unit">{figure.unit}</span>}
      </p>
      <div className="big-foot">
        <Sparkline values={history} />
        <span className="field-help">{spread}</span>
      </div>
    </section>
  );
}

function Exports(props: {
  readonly message: Message;
  readonly gaps: Float64Array | null;
  readonly canvas: () => HTMLCanvasElement | null;
}) {
  const { message, gaps, canvas } = props;
  const name = `nemoflash-${message.id}`;
  if (message.stats === null) return null;
  return (
    <div className="row" role="group" aria-label={strings.latency.exportLabel}>
      <Button
        onClick={() => {
          const content = { stats: message.stats, itlNs: [...(gaps ?? [])] };
          saveFile(`${name}.json`, new Blob([JSON.stringify(content, null, 2)], { type: 'application/json' }));
        }}
      >
        {strings.latency.exportJson}
      </Button>
      <Button
        onClick={() => {
          const lines = ['token,itl_ns', ...[...(gaps ?? [])].map((gap, index) => `${index + 2},${gap}`)];
          saveFile(`${name}.csv`, new Blob([`${lines.join('\n')}\n`], { type: 'text/csv' }));
        }}
      >
        {strings.latency.exportCsv}
      </Button>
      <Button
        onClick={() =>
          canvas()?.toBlob((image) => {
            if (image !== null) saveFile(`${name}.png`, image);
          })
        }
      >
        {strings.latency.exportPng}
      </Button>
    </div>
  );
}
