import { useEffect, useRef, useState } from 'react';

import { seenTimings, useLatency } from '../state/latency.ts';
import { exactPercentiles } from '../state/histogram.ts';
import { useMedia } from '../ui/useMedia.ts';
import { useSettings } from '../state/settings.ts';
import { count, durationText } from '../format.ts';
import { strings } from '../strings.ts';

const height = 168;
const inset = { left: 68, right: 40, top: 12, bottom: 26 };

interface Colours {
  readonly dot: string;
  readonly line: string;
  readonly text: string;
  readonly warn: string;
}

/** Tokens resolved to colours that a canvas understands. */
function coloursOf(canvas: HTMLCanvasElement): Colours {
  const probe = document.createElement('span');
  canvas.parentElement?.append(probe);
  const resolve = (token: string): string => {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  };
  const colours = {
    dot: resolve('--accent'),
    line: resolve('--hairline'),
    text: resolve('--text-faint'),
    warn: resolve('--warn'),
  };
  probe.remove();
  return colours;
}

/** A round number at or above the value: 1, 2 or 5 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}

/** Draws the gaps, one dot per token, newest at the right; lines at p50 and p99. */
function drawGaps(canvas: HTMLCanvasElement, gaps: Float64Array): void {
  const scale = window.devicePixelRatio;
  const width = canvas.clientWidth;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext('2d');
  if (context === null || width === 0) return;
  const colours = coloursOf(canvas);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = `12px ${getComputedStyle(canvas).fontFamily}`;
  const percentiles = exactPercentiles([...gaps]);
  if (percentiles === null) return;
  const plotWidth = width - inset.left - inset.right;
  const plotHeight = height - inset.top - inset.bottom;
  const top = roundUp(percentiles.max);
  const y = (value: number): number => inset.top + plotHeight * (1 - value / top);
  const x = (index: number): number => inset.left + (plotWidth * (index + 0.5)) / gaps.length;

  context.fillStyle = colours.text;
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  for (const share of [0, 0.5, 1]) {
    const at = Math.round(y(top * share)) + 0.5;
    context.beginPath();
    context.moveTo(inset.left, at);
    context.lineTo(width - inset.right, at);
    context.stroke();
    context.fillText(share === 0 ? '0' : durationText(top * share), inset.left - 8, at);
  }
  context.textBaseline = 'alphabetic';
  context.fillText(count(gaps.length + 1), width - inset.right, height - 8);
  context.textAlign = 'left';
  context.fillText('2', inset.left, height - 8);

  const radius = gaps.length > 400 ? 1 : 1.75;
  for (let i = 0; i < gaps.length; i += 1) {
    const gap = gaps[i] ?? 0;
    context.fillStyle = gap > percentiles.p99 ? colours.warn : colours.dot;
    context.beginPath();
    context.arc(x(i), y(gap), gap > percentiles.p99 ? radius + 1 : radius, 0, 2 * Math.PI);
    context.fill();
  }
  context.setLineDash([4, 4]);
  context.strokeStyle = colours.text;
  context.fillStyle = colours.text;
  // Beside the plot; names of lines that lie close together move apart.
  const apart = Math.max(0, 14 - (y(percentiles.p50) - y(percentiles.p99))) / 2;
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  for (const [name, value, shift] of [
    ['p50', percentiles.p50, apart],
    ['p99', percentiles.p99, -apart],
  ] as const) {
    const at = Math.round(y(value)) + 0.5;
    context.beginPath();
    context.moveTo(inset.left, at);
    context.lineTo(width - inset.right, at);
    context.stroke();
    context.fillText(name, width - inset.right + 6, at + shift);
  }
  context.setLineDash([]);
}

/** Inter-token latency of one answer. Live answers are drawn from their series, a frame at a time and without React. */
export function ItlChart(props: {
  readonly messageId: string;
  readonly live: boolean;
  /** Gaps of a finished answer, ns. */
  readonly gaps: Float64Array | null;
  readonly onCanvas?: (canvas: HTMLCanvasElement | null) => void;
}) {
  const { messageId, live, gaps, onCanvas } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const version = useLatency((state) => (live ? state.version : 0));
  const theme = useSettings((state) => state.settings.theme);
  const systemDark = useMedia('(prefers-color-scheme: dark)');
  const [width, setWidth] = useState(0);

  useEffect(() => {
    const element = canvas.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    onCanvas?.(element);
    return () => observer.disconnect();
  }, [onCanvas]);

  useEffect(() => {
    const element = canvas.current;
    if (element === null) return undefined;
    if (!live) {
      // After the theme has reached the document.
      const frame = requestAnimationFrame(() => drawGaps(element, gaps ?? new Float64Array(0)));
      return () => cancelAnimationFrame(frame);
    }
    let frame = 0;
    let drawn = -1;
    const look = (): void => {
      const series = seenTimings(messageId)?.itlNs;
      if (series !== undefined && series.length !== drawn) {
        drawn = series.length;
        drawGaps(element, series.values());
      }
      frame = requestAnimationFrame(look);
    };
    look();
    return () => cancelAnimationFrame(frame);
  }, [live, gaps, messageId, width, theme, systemDark]);

  const shown = live
    ? (seenTimings(messageId)?.itlNs.histogram.percentiles() ?? null)
    : exactPercentiles([...(gaps ?? [])]);
  const total = live ? (seenTimings(messageId)?.itlNs.length ?? 0) : (gaps?.length ?? 0);
  const words =
    shown === null || version < 0
      ? strings.latency.chartEmpty
      : strings.latency.chartSummary(total, durationText(shown.p50), durationText(shown.p99), durationText(shown.max));
  return (
    <figure className="chart">
      <canvas ref={canvas} className="chart-canvas figures" role="img" aria-label={words} />
      <figcaption className="field-help">{words}</figcaption>
    </figure>
  );
}
