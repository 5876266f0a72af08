import type { Roofline as Limits } from '../../../main/contract/metrics.ts';
import { bandwidthText, bytesText, durationText, percent } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Fact, Facts } from './Panel.tsx';

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

/** `itlNs`: median gap, of the answer or so far. `limits` null: not of the loaded model, for the reason in `why`. */
export function Roofline(props: {
  readonly itlNs: number | null;
  readonly limits: Limits | null;
  readonly why: string;
}) {
  const { itlNs, limits, why } = props;
  if (limits === null) return <p className="soft">{why}</p>;
  const { bytesPerToken, bytesPerSecond } = limits;
  const moved = itlNs === null ? null : (1e9 * bytesPerToken) / itlNs;
  const share = moved === null || bytesPerSecond === null ? null : moved / bytesPerSecond;
  return (
    <div className="stack">
      <div className="roofline">
        <div className="roofline-gauge">
          <Gauge share={share} label={share === null ? strings.latency.rooflineBusy : percent(share)} />
          <p className="gauge-figure figures">{share === null ? strings.common.none : percent(share)}</p>
        </div>
        <Facts>
          <Fact term={strings.latency.rooflineNow}>{moved === null ? strings.common.none : bandwidthText(moved)}</Fact>
          <Fact term={strings.latency.rooflineLimit}>
            {bytesPerSecond === null ? strings.latency.notTold : bandwidthText(bytesPerSecond)}
          </Fact>
          <Fact term={strings.latency.rooflineBytes}>{bytesText(bytesPerToken)}</Fact>
          <Fact term={strings.latency.rooflineFloor}>
            {bytesPerSecond === null ? strings.common.none : durationText((1e9 * bytesPerToken) / bytesPerSecond)}
          </Fact>
        </Facts>
      </div>
      {bytesPerSecond === null && <p className="soft">{strings.latency.rooflineBusy}</p>}
    </div>
  );
}
