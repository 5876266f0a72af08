import type { ReactNode } from 'react';

import type { Roofline as Limits } from '../../../main/contract/metrics.ts';
import { bandwidthText, bytesText, durationText, flopsText, flopText, percent } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Fact, Facts } from '../../ui/Fact.tsx';

const radius = 76;
const centre = { x: 100, y: 92 };

function onArc(share: number, distance: number): string {
  const angle = Math.PI * (1 - Math.min(1, Math.max(0, share)));
  return `${(centre.x + distance * Math.cos(angle)).toFixed(1)} ${(centre.y - distance * Math.sin(angle)).toFixed(1)}`;
}

/** Needle: what decoding moves per second. End of the arc: what this device can. */
function Gauge({ share, label }: { readonly share: number | null; readonly label: string }) {
  return (
    <svg className="gauge" viewBox="0 0 200 112" role="img" aria-label={label}>
      <path className="gauge-arc" d={`M${onArc(0, radius)}A${radius} ${radius} 0 0 1 ${onArc(1, radius)}`} />
      {share !== null && (
        <>
          <path className="gauge-now" d={`M${onArc(0, radius)}A${radius} ${radius} 0 0 1 ${onArc(share, radius)}`} />
          <path className="gauge-needle" d={`M${centre.x} ${centre.y}L${onArc(share, radius - 10)}`} />
        </>
      )}
      <circle className="gauge-hub" cx={centre.x} cy={centre.y} r="3" />
    </svg>
  );
}

/** How near the device's own limits an answer came. `itlNs`: median gap, of the answer or so far; null: none yet. */
export function Roofline(props: {
  readonly itlNs: number | null;
  /** New tokens of the prompt per second; null: nothing was read. */
  readonly readTokensPerSecond: number | null;
  /** null: not of the loaded model, for the reason in `why`. */
  readonly roofline: Limits | null;
  readonly why: string;
}) {
  const { itlNs, readTokensPerSecond, roofline, why } = props;
  if (roofline === null) return <p className="soft">{why}</p>;
  const { bytesPerToken, flopsPerPromptToken, limits } = roofline;
  const moved = itlNs === null ? null : (1e9 * bytesPerToken) / itlNs;
  const computed = readTokensPerSecond === null ? null : readTokensPerSecond * flopsPerPromptToken;
  const { latency } = strings;
  return (
    <div className="stack">
      <div className="gauges">
        <Measured title={latency.rooflineDecode} now={moved} limit={limits?.bytesPerSecond ?? null}>
          <Fact term={latency.rooflineNow}>{orNone(moved, bandwidthText)}</Fact>
          <Fact term={latency.rooflineLimit}>{orNone(limits?.bytesPerSecond ?? null, bandwidthText)}</Fact>
          <Fact term={latency.rooflineBytes}>{bytesText(bytesPerToken)}</Fact>
          <Fact term={latency.rooflineFloor}>
            {limits === null ? strings.common.none : durationText((1e9 * bytesPerToken) / limits.bytesPerSecond)}
          </Fact>
        </Measured>
        <Measured title={latency.rooflineRead} now={computed} limit={limits?.flopsPerSecond ?? null}>
          <Fact term={latency.rooflineComputes}>{orNone(computed, flopsText)}</Fact>
          <Fact term={latency.rooflineProduct}>{orNone(limits?.flopsPerSecond ?? null, flopsText)}</Fact>
          <Fact term={latency.rooflineWork}>{flopText(flopsPerPromptToken)}</Fact>
        </Measured>
      </div>
      {limits === null && <p className="soft">{latency.rooflineBusy}</p>}
      {limits !== null && limits.flopsPerSecond === null && <p className="soft">{latency.rooflineNoProduct}</p>}
    </div>
  );
}

const orNone = (value: number | null, text: (value: number) => string): string =>
  value === null ? strings.common.none : text(value);

/** One limit: its gauge, and the figures behind it. */
function Measured(props: {
  readonly title: string;
  readonly now: number | null;
  readonly limit: number | null;
  readonly children: ReactNode;
}) {
  const { title, now, limit, children } = props;
  const share = now === null || limit === null ? null : now / limit;
  const figure = share === null ? strings.common.none : percent(share);
  return (
    <section className="roofline" aria-label={title}>
      <div className="roofline-gauge">
        <Gauge share={share} label={`${title}: ${figure}`} />
        <p className="gauge-figure figures">{figure}</p>
        <h3 className="gauge-title">{title}</h3>
      </div>
      <Facts>{children}</Facts>
    </section>
  );
}
