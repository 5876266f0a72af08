import { useEffect, useMemo, useRef, useState } from 'react';

import type { Percentiles } from '../../../main/contract/domain.ts';
import type { WorstToken } from '../../../main/contract/metrics.ts';
import { exactPercentiles } from '../../state/histogram.ts';
import { onTokensShown, seenTimings, useLatency } from '../../state/latency.ts';
import { useSettings } from '../../state/settings.ts';
import { durationText } from '../../format.ts';
import { strings } from '../../strings.ts';
import { useMedia } from '../../ui/useMedia.ts';
import { StripPainter, plotOf, sourceOf, xOf, yOf } from './stripPainter.ts';

/** Six times a second looks like growing; each drawing makes the browser put the whole strip on the screen again. */
const drawEveryMs = 160;

/** Inter-token latency of one answer. A running one is drawn with the frames that bring tokens, without React. */
export function ItlStrip(props: {
  readonly messageId: string;
  readonly live: boolean;
  /** Gaps of a finished answer, ns. */
  readonly gaps: Float64Array | null;
  readonly worst: readonly WorstToken[];
  readonly chosen: number | null;
  readonly onChoose: (index: number) => void;
  readonly onPainter: (painter: StripPainter | null) => void;
}) {
  const { messageId, live, gaps, worst, chosen, onChoose, onPainter } = props;
  const grid = useRef<HTMLCanvasElement>(null);
  const dots = useRef<HTMLCanvasElement>(null);
  const [painter, setPainter] = useState<StripPainter | null>(null);
  const [width, setWidth] = useState(0);
  const theme = useSettings((state) => state.settings.theme);
  const systemDark = useMedia('(prefers-color-scheme: dark)');
  const version = useLatency((state) => (live ? state.version : 0));
  const spread = useMemo(() => (gaps === null ? null : exactPercentiles(gaps)), [gaps]);

  useEffect(() => {
    const element = grid.current;
    if (element === null || dots.current === null) return undefined;
    const made = new StripPainter(element, dots.current);
    setPainter(made);
    onPainter(made);
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => {
      observer.disconnect();
      onPainter(null);
    };
  }, [onPainter]);

  useEffect(() => {
    if (painter === null || !live) return undefined;
    const series = seenTimings(messageId)?.itlNs;
    if (series !== undefined) painter.drawAll(series, series.histogram.percentiles(), true);
    let drawnAt = -Infinity;
    return onTokensShown(() => {
      const now = performance.now();
      const grown = seenTimings(messageId)?.itlNs;
      if (grown === undefined || now - drawnAt < drawEveryMs) return;
      drawnAt = now;
      painter.drawNew(grown);
    });
  }, [painter, live, messageId, width, theme, systemDark]);

  useEffect(() => {
    const series = seenTimings(messageId)?.itlNs;
    if (live && version >= 0 && series !== undefined) painter?.renew(series, series.histogram.percentiles());
  }, [painter, live, messageId, version]);

  useEffect(() => {
    if (painter === null || live) return undefined;
    // After the theme has reached the document.
    const frame = requestAnimationFrame(() => painter.drawAll(sourceOf(gaps ?? new Float64Array(0)), spread, false));
    return () => cancelAnimationFrame(frame);
  }, [painter, live, gaps, spread, width, theme, systemDark]);

  const summary = live ? liveSummary(messageId, version) : { spread, total: gaps?.length ?? 0 };
  const words =
    summary.spread === null
      ? strings.latency.chartEmpty
      : strings.latency.chartSummary(
          summary.total,
          durationText(summary.spread.p50),
          durationText(summary.spread.p99),
          durationText(summary.spread.max),
        );
  const plot = !live && gaps !== null && spread !== null ? plotOf(sourceOf(gaps), width, spread, false) : null;
  return (
    <figure className="chart">
      <div className="strip-box">
        <canvas ref={grid} className="strip-canvas figures" role="img" aria-label={words} />
        <canvas ref={dots} className="strip-canvas strip-dots" aria-hidden="true" />
        {plot !== null &&
          width > 0 &&
          worst
            .filter(({ index }) => index <= plot.capacity)
            .map(({ index, gapNs }) => (
              <button
                key={index}
                type="button"
                className="strip-worst"
                aria-pressed={chosen === index}
                aria-label={strings.latency.worstToken(index + 1, durationText(gapNs))}
                title={strings.latency.worstToken(index + 1, durationText(gapNs))}
                style={{ left: xOf(plot, index - 1), top: yOf(plot, gapNs) }}
                onClick={() => onChoose(index)}
              />
            ))}
      </div>
      <figcaption className="field-help">{words}</figcaption>
    </figure>
  );
}

/** `version` is what makes it look again. */
function liveSummary(messageId: string, version: number): { spread: Percentiles | null; total: number } {
  const series = version < 0 ? undefined : seenTimings(messageId)?.itlNs;
  return { spread: series?.histogram.percentiles() ?? null, total: series?.total ?? 0 };
}
