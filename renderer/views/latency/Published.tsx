import { published } from '../../../main/contract/published.ts';
import type { Benchmark } from '../../../main/contract/benchmark.ts';
import { durationText, rateText } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Panel } from './Panel.tsx';

interface Line {
  readonly name: string;
  readonly perSecond: number;
  readonly ours: boolean;
}

/** What the paper says of its model and of others, and what was measured here, each with its conditions. */
export function Published({ measured }: { readonly measured: Benchmark | null }) {
  const decode = measured?.rows.find(({ kind }) => kind === 'decode') ?? null;
  const theirs = published.rows.map(({ model, seconds8k }): Line => ({
    name: model,
    perSecond: published.tokens / seconds8k,
    ours: false,
  }));
  const here: Line[] =
    measured === null || decode === null
      ? []
      : [{ name: strings.benchmark.here(measured.environment), perSecond: decode.tokensPerSecond.median, ours: true }];
  const lines = [...theirs, ...here].sort((a, b) => b.perSecond - a.perSecond);
  const fastest = Math.max(...lines.map(({ perSecond }) => perSecond));
  return (
    <Panel title={strings.benchmark.published} help={`${published.source}. ${published.conditions}`}>
      <ul role="list" className="published">
        {lines.map(({ name, perSecond, ours }) => (
          <li key={name} className={ours ? 'published-ours' : undefined}>
            <span className="published-name">{name}</span>
            <span className="published-track">
              <span className="published-bar" style={{ width: `${(100 * perSecond) / fastest}%` }} />
            </span>
            <span className="figures">{rateText(perSecond)}</span>
            <span className="figures soft">{durationText((1e9 * published.tokens) / perSecond)}</span>
          </li>
        ))}
      </ul>
      {decode !== null && measured !== null && (
        <p className="field-help">{strings.benchmark.hereConditions(measured.environment, decode.size)}</p>
      )}
    </Panel>
  );
}
