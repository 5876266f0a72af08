/** Where the window was and how large, across starts; brought back where a screen is. */
import { readFileSync, writeFileSync } from 'node:fs';

import { isRecord } from '../tolerant.ts';

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface WindowState {
  /** Null: where the system puts it. */
  readonly bounds: Rectangle | null;
  readonly maximized: boolean;
}

const unknown: WindowState = { bounds: null, maximized: false };
/** So much of the window's top edge must be on a screen that it can be taken hold of. */
const graspable = 100;

/** Null when the screen it was on is gone; smaller when it became smaller. */
export function fitTo(bounds: Rectangle, screens: readonly Rectangle[]): Rectangle | null {
  const home = screens.find(
    ({ x, y, width, height }) =>
      bounds.x + bounds.width >= x + graspable &&
      bounds.x <= x + width - graspable &&
      bounds.y >= y &&
      bounds.y <= y + height - graspable,
  );
  if (home === undefined) return null;
  return { ...bounds, width: Math.min(bounds.width, home.width), height: Math.min(bounds.height, home.height) };
}

function rectangleOf(raw: unknown): Rectangle | null {
  if (!isRecord(raw)) return null;
  const { x, y, width, height } = raw;
  const numbers = [x, y, width, height].filter((value) => Number.isInteger(value) && Math.abs(Number(value)) < 100_000);
  return numbers.length === 4 ? ({ x, y, width, height } as Rectangle) : null;
}

export function readWindowState(file: string, screens: readonly Rectangle[]): WindowState {
  try {
    const raw: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (!isRecord(raw)) return unknown;
    const bounds = rectangleOf(raw['bounds']);
    return { bounds: bounds === null ? null : fitTo(bounds, screens), maximized: raw['maximized'] === true };
  } catch {
    return unknown;
  }
}

/** Losing it is no harm, so a failure is not told. */
export function saveWindowState(file: string, state: WindowState): void {
  try {
    writeFileSync(file, JSON.stringify(state), { mode: 0o600 });
  } catch {
    // The next window opens where the system puts it.
  }
}
