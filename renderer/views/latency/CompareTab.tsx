import { useState } from 'react';

import { comparedBy } from '../../../main/contract/benchmark.ts';
import type { Comparison, Variant } from '../../../main/contract/benchmark.ts';
import type { Environment } from '../../../main/contract/metrics.ts';
import { runComparison, stopBenchmark, useBench } from '../../state/bench.ts';
import { selectModel, useEngine } from '../../state/engine.ts';
import { durationText } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Button } from '../../ui/Button.tsx';
import { Notice } from '../../ui/Notice.tsx';
import { Segmented } from '../../ui/Segmented.tsx';
import { Running } from './BenchmarkTab.tsx';
import { asLoaded, SideFields, threadsAreWrong, variantOf } from './CompareSide.tsx';
import { Panel } from './Panel.tsx';

const roundChoices = ['3', '6', '10'] as const;
const tokenChoices = ['32', '128', '512'] as const;
const order = ['A', 'B', 'B', 'A'] as const;
/** Two settings against each other with a stop-watch, in turn, so that a drift of the machine falls on both. */
export function CompareTab() {
  const model = useEngine(selectModel);
  const running = useBench((state) => state.running);
  const error = useBench((state) => state.error);
  const comparison = useBench((state) => state.comparison);
  const [first, setFirst] = useState(asLoaded);
  const [second, setSecond] = useState(asLoaded);
  const [rounds, setRounds] = useState<(typeof roundChoices)[number]>('6');
  const [tokens, setTokens] = useState<(typeof tokenChoices)[number]>('32');
  const same = JSON.stringify(variantOf(first)) === JSON.stringify(variantOf(second));
  const wrong = threadsAreWrong(first) || threadsAreWrong(second);
  // While the sides take turns, one of them is being loaded and no model is ready.
  const possible = running === null && model !== null && !wrong;
  return (
    <>
      <Panel title={strings.benchmark.compare} help={strings.benchmark.compareHelp}>
        <div className="stack">
          <div className="sides">
            <SideFields name="A" side={first} model={model} onChange={setFirst} />
            <SideFields name="B" side={second} model={model} onChange={setSecond} />
          </div>
          <div className="row">
            <Segmented
              label={strings.benchmark.rounds}
              value={rounds}
              choices={roundChoices.map((value) => ({ value, label: strings.benchmark.roundsOf(value) }))}
              onChange={setRounds}
            />
            <Segmented
              label={strings.benchmark.tokensPerRun}
              value={tokens}
              choices={tokenChoices.map((value) => ({ value, label: strings.benchmark.tokensOf(value) }))}
              onChange={setTokens}
            />
            {running === 'comparison' ? (
              <Button onClick={() => void stopBenchmark()}>{strings.benchmark.stop}</Button>
            ) : (
              <Button
                look="primary"
                disabled={!possible}
                onClick={() =>
                  void runComparison({
                    first: variantOf(first),
                    second: variantOf(second),
                    rounds: Number(rounds),
                    tokens: Number(tokens),
                  })
                }
              >
                {strings.benchmark.begin}
              </Button>
            )}
          </div>
          {comparedBy(variantOf(first), variantOf(second)) === 'ttft' && (
            <p className="field-help">{strings.benchmark.byTtft}</p>
          )}
          <p className="field-help">{strings.benchmark.notInTurns}</p>
          {same && <p className="field-help">{strings.benchmark.sameSides}</p>}
          {model === null && running === null && <p className="soft">{strings.benchmark.needsModel}</p>}
          {running === 'comparison' && (
            <>
              <Turns rounds={Number(rounds)} />
              <Running />
            </>
          )}
          {error !== null && <Notice tone="warn">{error.message}</Notice>}
        </div>
      </Panel>
      {comparison !== null && <Outcome comparison={comparison} />}
    </>
  );
}

/** The order of the runs, and which one is under the stop-watch. */
function Turns({ rounds }: { readonly rounds: number }) {
  const done = useBench((state) => state.progress?.done ?? 0);
  return (
    <ol role="list" className="rounds figures" aria-hidden="true">
      {Array.from({ length: order.length * rounds }, (_, index) => {
        const state = index < done ? 'round-done' : index === done ? 'round-now' : '';
        return (
          <li key={index} className={`round ${state}`}>
            {order[index % order.length]}
          </li>
        );
      })}
    </ol>
  );
}

function Outcome({ comparison }: { readonly comparison: Comparison }) {
  const { first, second, firstNs, secondNs, variants } = comparison;
  const all = [...firstNs, ...secondNs];
  const low = Math.min(...all);
  const span = Math.max(...all) - low || 1;
  const runs = (name: 'A' | 'B', made: Environment, variant: Variant | undefined, ns: readonly number[]) => (
    <div className="runs">
      <span className="runs-name">
        {name} <span className="soft">{strings.benchmark.settings(made, variant ?? {})}</span>
      </span>
      <span className="runs-track" role="img" aria-label={ns.map(durationText).join(', ')}>
        {ns.map((value, index) => (
          <span key={index} className="runs-dot" style={{ left: `${(100 * (value - low)) / span}%` }} />
        ))}
      </span>
      <span className="figures">{durationText(middle(ns))}</span>
    </div>
  );
  return (
    <Panel title={strings.benchmark.outcome} help={strings.benchmark.outcomeHelp[comparison.comparedBy]}>
      <p className="verdict">{strings.benchmark.verdict(comparison)}</p>
      {runs('A', first, variants[0], firstNs)}
      {runs('B', second, variants[1], secondNs)}
    </Panel>
  );
}

function middle(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
}
