/** Draws the strip of gaps, one dot per token. While an answer runs only what is new is drawn: O(new tokens) a frame. */
import type { Percentiles } from '../../../main/contract/domain.ts';
import { count, durationText } from '../../format.ts';

export const stripHeight = 176;
const inset = { left: 68, right: 40, top: 12, bottom: 26 };
/** Gaps beyond so many medians are drawn at the upper edge, as triangles; else one of them would flatten all others. */
const clipAtMedians = 8;

/** Gaps in ns by number; what is older than `first` is no longer kept. */
export interface GapSource {
  readonly first: number;
  readonly total: number;
  at(index: number): number;
}

export const sourceOf = (gaps: Float64Array): GapSource => ({
  first: 0,
  total: gaps.length,
  at: (index) => gaps[index] ?? Number.NaN,
});

export interface Plot {
  readonly width: number;
  readonly first: number;
  /** Gaps that fit. */
  readonly capacity: number;
  readonly topNs: number;
}

/** A round number at or above the value: 1, 2 or 5 times a power of ten. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return ([1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10) * power;
}

/** `growing`: leaves room, so that the scale changes seldom. */
export function plotOf(source: GapSource, width: number, spread: Percentiles, growing: boolean): Plot {
  const kept = source.total - source.first;
  const capacity = growing ? 2 ** Math.ceil(Math.log2(Math.max(128, kept))) : kept;
  return { width, first: source.first, capacity, topNs: roundUp(Math.min(spread.max, clipAtMedians * spread.p50)) };
}

export function xOf(plot: Plot, index: number): number {
  const wide = plot.width - inset.left - inset.right;
  return inset.left + (wide * (index - plot.first + 0.5)) / plot.capacity;
}

export function yOf(plot: Plot, ns: number): number {
  const high = stripHeight - inset.top - inset.bottom;
  return inset.top + high * (1 - Math.min(ns, plot.topNs) / plot.topNs);
}

const linesOf = (plot: Plot, { p50, p99 }: Percentiles): string =>
  `${Math.round(yOf(plot, p50))} ${Math.round(yOf(plot, p99))}`;

interface Colours {
  readonly dot: string;
  readonly line: string;
  readonly text: string;
  readonly warn: string;
  readonly ground: string;
}

/** Tokens resolved to colours that a canvas understands. */
function coloursOf(canvas: HTMLCanvasElement): Colours {
  // A new element for each: one that changes its colour may be on its way from the last one to the next.
  const resolve = (token: string): string => {
    const probe = document.createElement('span');
    probe.style.color = `var(${token})`;
    canvas.parentElement?.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
  return {
    dot: resolve('--accent'),
    line: resolve('--hairline'),
    text: resolve('--text-faint'),
    warn: resolve('--warn'),
    ground: resolve('--raised'),
  };
}

function fit(canvas: HTMLCanvasElement, width: number): CanvasRenderingContext2D | null {
  const scale = window.devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(stripHeight * scale);
  const context = canvas.getContext('2d');
  context?.setTransform(scale, 0, 0, scale, 0, 0);
  return context;
}

export class StripPainter {
  readonly #grid: HTMLCanvasElement;
  readonly #dots: HTMLCanvasElement;
  #under: CanvasRenderingContext2D | null = null;
  #over: CanvasRenderingContext2D | null = null;
  #font = '';
  #colours: Colours | null = null;
  #plot: Plot | null = null;
  #drawn = 0;
  /** Where the lines of the percentiles are, in pixels of the page. */
  #lines = '';

  constructor(grid: HTMLCanvasElement, dots: HTMLCanvasElement) {
    this.#grid = grid;
    this.#dots = dots;
  }

  /** Grid, all dots, the lines of the percentiles. */
  drawAll(source: GapSource, spread: Percentiles | null, growing: boolean): void {
    const width = this.#grid.clientWidth;
    this.#over = fit(this.#dots, width);
    this.#under = fit(this.#grid, width);
    this.#plot = null;
    if (width === 0 || spread === null) return;
    this.#colours = coloursOf(this.#grid);
    this.#font = `12px ${getComputedStyle(this.#grid).fontFamily}`;
    this.#plot = plotOf(source, width, spread, growing);
    this.#drawn = source.first;
    this.#drawGrid(this.#plot, spread);
    this.#drawDots(source, growing ? Infinity : spread.p99);
  }

  /** The dots that came since the last call. Does nothing until the scale is set. */
  drawNew(source: GapSource): void {
    this.#drawDots(source, Infinity);
  }

  /** Moves the lines of the percentiles; draws everything when the scale no longer fits what there is. */
  renew(source: GapSource, spread: Percentiles | null): void {
    if (spread === null) return;
    const plot = this.#plot;
    const wanted = plotOf(source, this.#grid.clientWidth, spread, true);
    const fits =
      plot !== null &&
      wanted.capacity === plot.capacity &&
      wanted.topNs === plot.topNs &&
      wanted.width === plot.width &&
      wanted.first - plot.first <= plot.capacity / 4;
    if (!fits) this.drawAll(source, spread, true);
    else if (linesOf(plot, spread) !== this.#lines) this.#drawGrid(plot, spread);
  }

  /** Both layers on the ground of the page. */
  image(): HTMLCanvasElement {
    const image = document.createElement('canvas');
    image.width = this.#grid.width;
    image.height = this.#grid.height;
    const context = image.getContext('2d');
    if (context !== null) {
      context.fillStyle = this.#colours?.ground ?? 'white';
      context.fillRect(0, 0, image.width, image.height);
      context.drawImage(this.#grid, 0, 0);
      context.drawImage(this.#dots, 0, 0);
    }
    return image;
  }

  #drawDots(source: GapSource, warnAboveNs: number): void {
    const context = this.#over;
    const plot = this.#plot;
    if (context === null || plot === null || this.#colours === null) return;
    const size = plot.capacity > 2000 ? 1.5 : plot.capacity > 400 ? 2 : 3;
    for (let index = Math.max(this.#drawn, source.first); index < source.total; index += 1) {
      const ns = source.at(index);
      const x = xOf(plot, index);
      const y = yOf(plot, ns);
      context.fillStyle = ns > warnAboveNs || ns > plot.topNs ? this.#colours.warn : this.#colours.dot;
      if (ns > plot.topNs) triangle(context, x, y);
      else context.fillRect(x - size / 2, y - size / 2, size, size);
    }
    this.#drawn = source.total;
  }

  #drawGrid(plot: Plot, spread: Percentiles): void {
    if (this.#under === null || this.#colours === null) return;
    this.#lines = linesOf(plot, spread);
    this.#under.clearRect(0, 0, plot.width, stripHeight);
    this.#under.font = this.#font;
    drawGrid(this.#under, plot, spread, this.#colours);
  }
}

function triangle(context: CanvasRenderingContext2D, x: number, y: number): void {
  context.beginPath();
  context.moveTo(x - 4, y + 3);
  context.lineTo(x + 4, y + 3);
  context.lineTo(x, y - 5);
  context.fill();
}

function drawGrid(context: CanvasRenderingContext2D, plot: Plot, spread: Percentiles, colours: Colours): void {
  const right = plot.width - inset.right;
  const across = (at: number): void => {
    context.beginPath();
    context.moveTo(inset.left, at);
    context.lineTo(right, at);
    context.stroke();
  };
  context.fillStyle = colours.text;
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  for (const share of [0, 0.5, 1]) {
    const at = Math.round(yOf(plot, plot.topNs * share)) + 0.5;
    across(at);
    context.fillText(share === 0 ? '0' : durationText(plot.topNs * share), inset.left - 8, at);
  }
  context.textBaseline = 'alphabetic';
  context.fillText(count(plot.first + plot.capacity + 1), right, stripHeight - 8);
  context.textAlign = 'left';
  context.fillText(count(plot.first + 2), inset.left, stripHeight - 8);

  // Beside the plot; names of lines that lie close together move apart.
  const apart = Math.max(0, 14 - (yOf(plot, spread.p50) - yOf(plot, spread.p99))) / 2;
  context.setLineDash([4, 4]);
  context.strokeStyle = colours.text;
  context.textBaseline = 'middle';
  for (const [name, ns, shift] of [
    ['p50', spread.p50, apart],
    ['p99', spread.p99, -apart],
  ] as const) {
    const at = Math.round(yOf(plot, ns)) + 0.5;
    across(at);
    context.fillText(name, right + 6, at + shift);
  }
  context.setLineDash([]);
}
