import type { Percentiles } from '../../../main/contract/domain.ts';
import { durationText } from '../../format.ts';
import { strings } from '../../strings.ts';

const width = 320;
const height = 132;
const bins = 48;
/** The bars reach this far beyond p99, in widths of what lies below it; longer gaps are counted in the last bar. */
const tail = 0.35;

/** How often which gap: bars from the shortest to just beyond p99, with the percentiles marked. */
export function GapHistogram({ gaps, spread }: { readonly gaps: Float64Array; readonly spread: Percentiles | null }) {
  if (spread === null || gaps.length < 4) return <p className="soft">{strings.latency.histogramEmpty}</p>;
  const low = gaps.reduce((least, gap) => Math.min(least, gap), Infinity);
  const high = Math.max(low * 1.001, Math.min(spread.max, spread.p99 + tail * (spread.p99 - low)));
  const counts = new Array<number>(bins).fill(0);
  for (const gap of gaps) {
    const bin = Math.min(bins - 1, Math.floor((bins * (gap - low)) / (high - low)));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const most = Math.max(...counts);
  const wide = width / bins;
  const bars = counts.map((n, bin) => {
    // One gap of thousands must still be seen.
    const tall = n === 0 ? 0 : Math.max(1.5, (n / most) * (height - 18));
    return `M${(bin * wide).toFixed(1)} ${height}h${(wide - 1).toFixed(1)}v${(-tall).toFixed(1)}h${(1 - wide).toFixed(1)}z`;
  });
  const markers = (
    [
      ['p50', spread.p50],
      ['p95', spread.p95],
      ['p99', spread.p99],
    ] as const
  ).map(([name, ns]) => ({
    name,
    ns,
    x: Math.min(width, (width * (ns - low)) / (high - low)),
  }));
  const last = high < spread.max ? `≥ ${durationText(high)}` : durationText(high);
  return (
    <figure className="chart">
      <svg
        className="histogram"
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={strings.latency.histogramSummary(durationText(low), durationText(spread.max))}
      >
        <path d={bars.join('')} />
        {markers.map(({ name, x }) => (
          <line key={name} x1={x} x2={x} y1={0} y2={height} vectorEffect="non-scaling-stroke" />
        ))}
      </svg>
      <div className="between row figures histogram-ends">
        <span>{durationText(low)}</span>
        <span>{last}</span>
      </div>
      <figcaption className="field-help figures">
        {markers.map(({ name, ns }) => `${name} ${durationText(ns)}`).join('   ')}
      </figcaption>
    </figure>
  );
}
