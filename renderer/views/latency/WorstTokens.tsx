import type { WorstToken } from '../../../main/contract/metrics.ts';
import { durationText } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Fact, Facts } from '../../ui/Fact.tsx';

/** The longest gaps of an answer; the chosen one with where its time went and what else happened. */
export function WorstTokens(props: {
  readonly worst: readonly WorstToken[];
  readonly medianNs: number | null;
  readonly chosen: number | null;
  readonly onChoose: (index: number) => void;
}) {
  const { worst, medianNs, chosen, onChoose } = props;
  if (worst.length === 0) return <p className="soft">{strings.latency.worstNone}</p>;
  const token = worst.find(({ index }) => index === chosen) ?? null;
  return (
    <div className="worst">
      <ol role="list" className="worst-list">
        {worst.map(({ index, gapNs, meanwhile }) => (
          <li key={index}>
            <button
              type="button"
              className="worst-entry figures"
              aria-pressed={chosen === index}
              onClick={() => onChoose(index)}
            >
              {strings.latency.worstToken(index + 1, durationText(gapNs))}
              {meanwhile.length > 0 && <span aria-hidden="true"> •</span>}
            </button>
          </li>
        ))}
      </ol>
      {token === null ? (
        <p className="soft">{strings.latency.worstHint}</p>
      ) : (
        <TokenDetail token={token} medianNs={medianNs} />
      )}
    </div>
  );
}

function TokenDetail({ token, medianNs }: { readonly token: WorstToken; readonly medianNs: number | null }) {
  const { index, gapNs, forwardNs, sampleNs, meanwhile } = token;
  const rest = Math.max(0, gapNs - forwardNs - sampleNs);
  return (
    <div className="worst-detail" role="status">
      <h3>{strings.latency.worstToken(index + 1, durationText(gapNs))}</h3>
      {medianNs !== null && medianNs > 0 && (
        <p className="field-help">{strings.latency.againstMedian((gapNs / medianNs).toFixed(1))}</p>
      )}
      <Facts>
        <Fact term={strings.latency.worstForward}>{durationText(forwardNs)}</Fact>
        <Fact term={strings.latency.worstSample}>{durationText(sampleNs)}</Fact>
        <Fact term={strings.latency.worstRest}>{durationText(rest)}</Fact>
        <Fact term={strings.latency.meanwhile}>
          {meanwhile.length === 0
            ? strings.latency.meanwhileNothing
            : meanwhile.map(({ kind, durationNs }) => strings.latency.happened(kind, durationNs)).join(', ')}
        </Fact>
      </Facts>
    </div>
  );
}
