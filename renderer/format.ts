/** Numbers for people: units always beside the figure, narrow no-break spaces between thousands. */
import { language } from './language.ts';

const thin = '\u202f';
/** No-break space between figure and unit, so that a line never ends between them. */
const gap = '\u00a0';

/** With the decimal mark of the language. */
export const fixed = (value: number, digits: number): string => {
  const text = value.toFixed(digits);
  return language === 'de' ? text.replace('.', ',') : text;
};

export interface Figure {
  readonly value: string;
  readonly unit: string;
}

export const figureText = ({ value, unit }: Figure): string => (unit === '' ? value : `${value}${gap}${unit}`);

/** A whole number, grouped: 4 901. */
export function count(value: number): string {
  const digits = Math.round(Math.abs(value)).toString();
  const grouped = digits.replace(/\B(?=(\d{3})+$)/g, thin);
  return value < 0 ? `−${grouped}` : grouped;
}

/** Three significant digits at most, never an exponent. */
function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return count(value);
  const digits = size >= 10 ? 1 : 2;
  return fixed(value, digits).replace(/[.,]?0+$/, '');
}

/** Same width for neighbours in size, so that a running figure does not jump: 3.10, 42.0, 312. */
function steady(value: number): string {
  if (value >= 100) return count(value);
  return fixed(value, value >= 10 ? 1 : 2);
}

export function duration(ns: number): Figure {
  if (ns < 1e3) return { value: count(ns), unit: 'ns' };
  if (ns < 1e6) return { value: steady(ns / 1e3), unit: 'µs' };
  if (ns < 1e9) return { value: steady(ns / 1e6), unit: 'ms' };
  return { value: steady(ns / 1e9), unit: 's' };
}

export const durationText = (ns: number): string => figureText(duration(ns));

/** For waiting, not for measuring: 12 s, 3 min, 2 h 5 min. */
export function remaining(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))}${gap}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes}${gap}min`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)}${gap}h${rest === 0 ? '' : `${gap}${rest}${gap}min`}`;
}

/** Decimal units, as disks and hubs count. */
export function bytes(size: number): Figure {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = size;
  let index = 0;
  while (value >= 999.5 && index < units.length - 1) {
    value /= 1000;
    index += 1;
  }
  const text = index === 0 || value >= 100 ? count(value) : fixed(value, 1);
  return { value: text, unit: units[index] ?? 'B' };
}

export const bytesText = (size: number): string => figureText(bytes(size));

/** Tokens per second; above ten thousand in thousands. */
export function rate(perSecond: number): Figure {
  if (perSecond >= 9999.5) return { value: `${short(perSecond / 1000)}k`, unit: 'tok/s' };
  return { value: perSecond >= 10 ? count(perSecond) : fixed(perSecond, 1), unit: 'tok/s' };
}

export const rateText = (perSecond: number): string => figureText(rate(perSecond));

/** Parameters of a model: 2.7B, 960M. */
export function parameters(value: number): string {
  return value >= 1e9 ? `${short(value / 1e9)}B` : `${count(value / 1e6)}M`;
}

/** Bytes per second, in the units of data sheets. */
export const bandwidthText = (bytesPerSecond: number): string => `${bytesText(bytesPerSecond)}/s`;

/** Floating-point operations. */
export function flopText(value: number): string {
  const units = ['', 'k', 'M', 'G', 'T', 'P'];
  const index = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${short(value / 1000 ** index)}${gap}${units[index] ?? ''}FLOP`;
}

export const flopsText = (perSecond: number): string => `${flopText(perSecond)}/s`;

export const percent = (share: number): string => `${Math.round(100 * share)}${gap}%`;

/** Of a natural log-probability: 97.3 %, 0.04 %. */
export function probability(logprob: number): string {
  const share = 100 * Math.exp(logprob);
  return `${share >= 99.95 ? '100' : fixed(share, share >= 1 ? 1 : 2)}${gap}%`;
}

/** Two figures of one kind in one unit: "3.10 / 3.60 ms". */
export function durationPair(firstNs: number, secondNs: number): string {
  const first = duration(firstNs);
  const second = duration(secondNs);
  if (first.unit === second.unit) return `${first.value}${gap}/${gap}${figureText(second)}`;
  return `${figureText(first)}${gap}/${gap}${figureText(second)}`;
}

/** A number as a field shows it: no trailing zeros, a point as decimal mark. */
export const plain = (value: number): string => String(Number(value.toFixed(6)));

export function dateText(at: number): string {
  return new Date(at).toLocaleDateString(language === 'en' ? undefined : language, {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
  });
}

/** Day and time, as short as the reader's language has it. */
export function momentText(at: number): string {
  return new Date(at).toLocaleString(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
}
