import { useEffect, useState } from 'react';

import { benchmarkPlans } from '../../../main/contract/benchmark.ts';
import type { Benchmark, BenchmarkPlanName } from '../../../main/contract/benchmark.ts';
import { loadBenchmarks, removeBenchmark, runBenchmark, stopBenchmark, useBench } from '../../state/bench.ts';
import { selectReady, useEngine } from '../../state/engine.ts';
import { durationText, momentText, rateText } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';
import { Notice } from '../../ui/Notice.tsx';
import { Progress } from '../../ui/Progress.tsx';
import { Segmented } from '../../ui/Segmented.tsx';
import { Sparkline } from '../../ui/Sparkline.tsx';
import { saveFile } from '../../ui/clipboard.ts';
import { FigureTable } from './FigureTable.tsx';
import { Panel } from './Panel.tsx';
import { Published } from './Published.tsx';
import { benchmarkCsv, benchmarkJson, fileName } from './benchmarkFiles.ts';
import { shareCard } from './shareCard.ts';

/** The paper's protocol on this machine: run it, keep it, hold it against earlier runs and published figures. */
export function BenchmarkTab() {
  const kept = useBench((state) => state.kept);
  const [shownId, setShownId] = useState<number | null>(null);
  useEffect(() => void loadBenchmarks(), []);
  const shown = kept?.find(({ id }) => id === shownId) ?? kept?.[0] ?? null;
  return (
    <>
      <Panel title={strings.benchmark.run}>
        <RunPlan />
      </Panel>
      {shown !== null && kept !== null && <Result key={shown.id} benchmark={shown} kept={kept} />}
      {kept !== null && kept.length > 1 && (
        <Panel title={strings.benchmark.kept} help={strings.benchmark.keptHelp}>
          <Kept kept={kept} shownId={shown?.id ?? null} onShow={setShownId} />
        </Panel>
      )}
      <Published measured={shown} />
    </>
  );
}

const planNames = Object.keys(benchmarkPlans) as BenchmarkPlanName[];

function RunPlan() {
  const ready = useEngine(selectReady);
  const running = useBench((state) => state.running);
  const error = useBench((state) => state.error);
  const [plan, setPlan] = useState<BenchmarkPlanName>('quick');
  return (
    <div className="stack">
      <div className="row">
        <Segmented
          label={strings.benchmark.plan}
          value={plan}
          choices={planNames.map((name) => ({ value: name, label: strings.benchmark.plans[name] }))}
          onChange={setPlan}
        />
        {running === 'plan' ? (
          <Button onClick={() => void stopBenchmark()}>{strings.benchmark.stop}</Button>
        ) : (
          <Button look="primary" disabled={!ready || running !== null} onClick={() => void runBenchmark(plan)}>
            {strings.benchmark.begin}
          </Button>
        )}
      </div>
      <p className="field-help">{strings.benchmark.describe(benchmarkPlans[plan])}</p>
      {!ready && running === null && <p className="soft">{strings.benchmark.needsModel}</p>}
      {running === 'plan' && <Running />}
      {error !== null && <Notice tone="warn">{error.message}</Notice>}
    </div>
  );
}

/** How far a benchmark or a comparison is. */
export function Running() {
  const progress = useBench((state) => state.progress);
  const words = progress === null ? strings.benchmark.beginning : strings.benchmark.progress(progress);
  return (
    <div className="stack-tight running" role="status">
      <span className="soft figures">{words}</span>
      <Progress
        label={words}
        share={progress === null || progress.total === 0 ? null : progress.done / progress.total}
      />
    </div>
  );
}

function Result({ benchmark, kept }: { readonly benchmark: Benchmark; readonly kept: readonly Benchmark[] }) {
  const { at, environment, plan, rows, leftOut } = benchmark;
  const aside = (
    <div className="row" role="group" aria-label={strings.latency.exportLabel}>
      <Button onClick={() => save(benchmark, 'json', benchmarkJson(benchmark), 'application/json')}>
        {strings.latency.exportJson}
      </Button>
      <Button onClick={() => save(benchmark, 'csv', benchmarkCsv(benchmark), 'text/csv')}>
        {strings.latency.exportCsv}
      </Button>
      <Button
        onClick={() =>
          void shareCard(benchmark).then((image) => {
            if (image !== null) saveFile(`${fileName(benchmark)}.png`, image);
          })
        }
      >
        {strings.benchmark.card}
      </Button>
    </div>
  );
  return (
    <Panel
      title={strings.benchmark.result(momentText(at))}
      help={strings.benchmark.resultHelp(plan.repetitions)}
      aside={aside}
    >
      <p className="field-help panel-lead">
        {[environment.device, environment.format, environment.model, environment.hash].join(' · ')}
      </p>
      <FigureTable
        title={strings.benchmark.run}
        head={[
          strings.benchmark.what,
          'tok/s',
          strings.benchmark.spread,
          strings.benchmark.took,
          'ITL p50',
          'ITL p99',
          'max',
          strings.benchmark.overTime,
        ]}
      >
        {rows.map((row) => {
          const { kind, size, tokensPerSecond, seconds, itlNs } = row;
          const past = speedsOf(kept, benchmark, kind, size);
          const or = (ns: number | undefined): string => (ns === undefined ? strings.common.none : durationText(ns));
          return (
            <tr key={`${kind} ${size}`}>
              <th scope="row">{strings.benchmark.row(kind, size)}</th>
              <td>{plainRate(tokensPerSecond.median)}</td>
              <td>{`${plainRate(tokensPerSecond.low)} – ${plainRate(tokensPerSecond.high)}`}</td>
              <td>{durationText(1e9 * seconds.median)}</td>
              <td>{or(itlNs?.p50)}</td>
              <td>{or(itlNs?.p99)}</td>
              <td>{or(itlNs?.max)}</td>
              <td>{past.length < 2 ? strings.common.none : <Sparkline values={past} />}</td>
            </tr>
          );
        })}
      </FigureTable>
      {leftOut.length > 0 && (
        <p className="field-help">
          {strings.benchmark.leftOut} {leftOut.join('; ')}.
        </p>
      )}
    </Panel>
  );
}

const plainRate = (perSecond: number): string => rateText(perSecond).replace(/\s*tok\/s$/, '');

function save(benchmark: Benchmark, extension: string, text: string, type: string): void {
  saveFile(`${fileName(benchmark)}.${extension}`, new Blob([text], { type }));
}

/** The same row of the runs that may be compared with this one, oldest first, up to this one. */
function speedsOf(
  kept: readonly Benchmark[],
  { id, environment }: Benchmark,
  kind: string,
  size: number,
): readonly number[] {
  const { device, model, format, threads, deviceKind } = environment;
  return kept
    .filter((other) => {
      const made = other.environment;
      const same = made.device === device && made.model === model && made.format === format;
      return other.id <= id && same && made.threads === threads && made.deviceKind === deviceKind;
    })
    .reverse()
    .flatMap(({ rows }) => rows.filter((row) => row.kind === kind && row.size === size))
    .map(({ tokensPerSecond }) => tokensPerSecond.median);
}

function Kept(props: {
  readonly kept: readonly Benchmark[];
  readonly shownId: number | null;
  readonly onShow: (id: number) => void;
}) {
  const { kept, shownId, onShow } = props;
  return (
    <ul role="list" className="kept">
      {kept.map(({ id, at, environment, rows }) => {
        const decode = rows.find(({ kind }) => kind === 'decode');
        return (
          <li key={id} className={id === shownId ? 'shown' : undefined}>
            <button type="button" className="link" aria-pressed={id === shownId} onClick={() => onShow(id)}>
              {momentText(at)}
            </button>
            <span className="kept-words">
              {environment.device} · {environment.format} · {strings.latency.version(environment.appVersion)}
            </span>
            <span className="figures">{decode === undefined ? '' : rateText(decode.tokensPerSecond.median)}</span>
            <Button look="link" onClick={() => void removeBenchmark(id)}>
              {strings.benchmark.remove}
            </Button>
          </li>
        );
      })}
    </ul>
  );
}
