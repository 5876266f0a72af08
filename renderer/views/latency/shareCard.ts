/** A benchmark as one picture: what was measured, on what, and the hash that says what it may be compared with. */
import type { Benchmark, BenchmarkRow } from '../../../main/contract/benchmark.ts';
import { durationText, momentText, rateText } from '../../format.ts';
import { strings } from '../../strings.ts';

const width = 1200;
const height = 630;
const margin = 64;

interface Brush {
  readonly context: CanvasRenderingContext2D;
  readonly text: string;
  readonly mono: string;
}

function write(brush: Brush, words: string, x: number, y: number, size: number, colour: string, mono = false): void {
  const { context } = brush;
  context.font = `${mono ? 500 : 600} ${size}px ${mono ? brush.mono : brush.text}`;
  context.fillStyle = colour;
  context.fillText(words, x, y);
}

const soft = '#a9b0b7';
const bright = '#eef1f3';
const accent = '#6fd48b';

/** The decode run if there is one, else one sequence alone. */
const headline = (rows: readonly BenchmarkRow[]): BenchmarkRow | undefined =>
  rows.find(({ kind }) => kind === 'decode') ?? rows.find(({ kind, size }) => kind === 'sequences' && size === 1);

/** Fits the words into `room` by leaving out their end. */
function fitted(context: CanvasRenderingContext2D, words: string, room: number): string {
  if (context.measureText(words).width <= room) return words;
  let short = words;
  while (short.length > 1 && context.measureText(`${short}…`).width > room) short = short.slice(0, -1);
  return `${short}…`;
}

/** Waits for the fonts, draws; null where a browser has no canvas. */
export async function shareCard({ at, environment, rows, plan }: Benchmark): Promise<Blob | null> {
  const style = getComputedStyle(document.documentElement);
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (context === null) return null;
  await document.fonts.ready;
  const brush = {
    context,
    text: style.getPropertyValue('--font-text') || 'sans-serif',
    mono: style.getPropertyValue('--font-mono') || 'monospace',
  };
  context.fillStyle = '#14171a';
  context.fillRect(0, 0, width, height);
  write(brush, strings.app.name, margin, 92, 30, accent);
  const model = environment.model.replace(/@.*$/, '').replace(/^.*--/, '');
  write(brush, fitted(context, `${model} · ${environment.format}`, width - 2 * margin), margin, 148, 40, bright);
  write(brush, environment.device, margin, 190, 24, soft);

  const best = headline(rows);
  if (best !== undefined) {
    write(brush, rateText(best.tokensPerSecond.median), margin, 308, 84, bright, true);
    const gaps =
      best.itlNs === null ? '' : `ITL p50 ${durationText(best.itlNs.p50)}, p99 ${durationText(best.itlNs.p99)}`;
    write(brush, `${strings.benchmark.row(best.kind, best.size)}. ${gaps}`, margin, 354, 24, soft);
  }
  const others = rows.filter((row) => row !== best).slice(0, 6);
  others.forEach((row, index) => {
    const x = margin + (index % 3) * 360;
    const y = 424 + Math.floor(index / 3) * 76;
    write(brush, rateText(row.tokensPerSecond.median), x, y, 28, bright, true);
    write(brush, strings.benchmark.row(row.kind, row.size), x, y + 28, 18, soft);
  });
  const foot = [
    momentText(at),
    strings.benchmark.repetitions(plan.repetitions),
    strings.latency.version(environment.appVersion),
    `${environment.platform} ${environment.driver}`.trim(),
    environment.hash,
  ];
  context.font = `500 18px ${brush.mono}`;
  write(brush, fitted(context, foot.join('  ·  '), width - 2 * margin), margin, height - 44, 18, soft, true);
  return new Promise((resolve) => canvas.toBlob(resolve));
}
