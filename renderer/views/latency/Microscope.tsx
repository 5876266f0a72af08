import { useState } from 'react';

import { stageClasses } from '../../../main/contract/metrics.ts';
import type { Microscope as Seen } from '../../../main/contract/metrics.ts';
import type { ErrorInfo } from '../../../main/contract/errors.ts';
import { request } from '../../bridge.ts';
import { selectReady, useEngine } from '../../state/engine.ts';
import { errorInfo } from '../../state/errors.ts';
import { bandwidthText, bytesText, durationText, percent } from '../../format.ts';
import { strings } from '../../strings.ts';
import { FigureTable } from './FigureTable.tsx';
import { Button } from '../../ui/Button.tsx';
import { Notice } from '../../ui/Notice.tsx';
import { colourOf } from './stages.ts';

const tokens = 32;

/** Every stage of one answer, timed one by one; the answer is slower for it, and the panel says by how much. */
export function Microscope({ bytesPerSecond }: { readonly bytesPerSecond: number | null }) {
  const ready = useEngine(selectReady);
  const [seen, setSeen] = useState<Seen | null>(null);
  const [error, setError] = useState<ErrorInfo | null>(null);
  const [busy, setBusy] = useState(false);
  const look = (): void => {
    setBusy(true);
    setError(null);
    request('metrics.microscope', { tokens })
      .then(setSeen, (thrown: unknown) => setError(errorInfo(thrown)))
      .finally(() => setBusy(false));
  };
  return (
    <div className="stack">
      <div className="row between">
        <p className="field-help microscope-help">{strings.latency.microscopeHelp}</p>
        <Button disabled={!ready || busy} onClick={look}>
          {busy ? strings.latency.microscopeBusy : strings.latency.microscopeRun}
        </Button>
      </div>
      {error !== null && <Notice tone="warn">{error.message}</Notice>}
      {seen !== null && <SeenStages seen={seen} bytesPerSecond={bytesPerSecond} />}
    </div>
  );
}

function SeenStages({ seen, bytesPerSecond }: { readonly seen: Seen; readonly bytesPerSecond: number | null }) {
  const { stages, plainItlNs, tracedItlNs } = seen;
  const slowed = plainItlNs === null || tracedItlNs === null ? null : tracedItlNs / plainItlNs - 1;
  const classes = stageClasses.map((stageClass) => {
    const own = stages.filter((stage) => stage.stageClass === stageClass);
    const sum = (of: (stage: Seen['stages'][number]) => number): number =>
      own.reduce((total, stage) => total + of(stage), 0);
    return { stageClass, ns: sum(({ ns }) => ns), bytes: sum((stage) => stage.weightBytes + stage.stateBytes) };
  });
  return (
    <>
      {slowed !== null && (
        <Notice tone="warn">
          {strings.latency.perturbed(
            durationText(plainItlNs ?? 0),
            durationText(tracedItlNs ?? 0),
            `${slowed < 0 ? '−' : '+'}${percent(Math.abs(slowed))}`,
          )}
        </Notice>
      )}
      <StageTable
        title={strings.latency.microscope}
        rows={classes.map(({ stageClass, ns, bytes }) => ({
          key: stageClass,
          name: strings.latency.stages[stageClass],
          colour: colourOf(stageClass),
          layer: null,
          ns,
          bytes,
        }))}
        bytesPerSecond={bytesPerSecond}
      />
      <details>
        <summary>{strings.latency.perStage}</summary>
        <StageTable
          title={strings.latency.perStage}
          rows={stages.map((stage, index) => ({
            key: String(index),
            name: stage.name,
            colour: colourOf(stage.stageClass),
            layer: stage.layer < 0 ? null : stage.layer,
            ns: stage.ns,
            bytes: stage.weightBytes + stage.stateBytes,
          }))}
          bytesPerSecond={bytesPerSecond}
        />
      </details>
    </>
  );
}

interface StageRow {
  readonly key: string;
  readonly name: string;
  readonly colour: string;
  readonly layer: number | null;
  readonly ns: number;
  readonly bytes: number;
}

/** Time and bytes of stages, and how near each comes to the limit of the memory. */
function StageTable(props: {
  readonly title: string;
  readonly rows: readonly StageRow[];
  readonly bytesPerSecond: number | null;
}) {
  const { title, rows, bytesPerSecond } = props;
  const { latency } = strings;
  const layered = rows.some(({ layer }) => layer !== null);
  return (
    <FigureTable
      title={title}
      className="stage-table"
      head={[
        latency.stage,
        ...(layered ? [latency.layer] : []),
        latency.time,
        latency.bytes,
        latency.speed,
        latency.ofLimit,
      ]}
    >
      {rows.map(({ key, name, colour, layer, ns, bytes }) => {
        const speed = ns > 0 && bytes > 0 ? (1e9 * bytes) / ns : null;
        return (
          <tr key={key}>
            <th scope="row">
              <span className="legend-colour" style={{ background: colour }} />
              {name}
            </th>
            {layered && <td>{layer ?? strings.common.none}</td>}
            <td>{ns > 0 ? durationText(ns) : strings.common.none}</td>
            <td>{bytesText(bytes)}</td>
            <td>{speed === null ? strings.common.none : bandwidthText(speed)}</td>
            <td>{speed === null || bytesPerSecond === null ? strings.common.none : percent(speed / bytesPerSecond)}</td>
          </tr>
        );
      })}
    </FigureTable>
  );
}
