/**
 * Short reports of crashes, in the folder of the log, for the person who reports one: nothing is ever sent. They hold
 * what the log holds (names, codes, places) and so neither what people wrote nor a token.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { describeError } from './log.ts';

/** app: the last run did not come to its end; main, page, gpu: the part that failed. */
export type CrashKind = 'app' | 'main' | 'page' | 'gpu';

export interface Crash {
  readonly kind: CrashKind;
  readonly version: string;
  readonly detail: string;
}

const maxReports = 10;
const tailLines = 40;

/** The last lines of a text file; empty when it cannot be read. */
export function tailOf(file: string, lines: number): readonly string[] {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines);
  } catch {
    return [];
  }
}

const isReport = (name: string): boolean => /^crash-.*\.txt$/.test(name);

function reportsIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter(isReport).sort();
  } catch {
    return [];
  }
}

/** Keeps the newest ten. Never throws: a report that cannot be written is no second crash. */
export function writeCrashReport(logFile: string, crash: Crash, now = new Date()): void {
  const folder = path.dirname(logFile);
  const name = `crash-${now.toISOString().replaceAll(':', '-')}-${crash.kind}.txt`;
  const head = `Nemoflash ${crash.version}, ${process.platform} ${process.arch}, ${now.toISOString()}`;
  const lines = [head, `${crash.kind}: ${crash.detail}`, '', ...tailOf(logFile, tailLines)];
  try {
    writeFileSync(path.join(folder, name), `${lines.join('\n')}\n`, { mode: 0o600 });
    for (const old of reportsIn(folder).slice(0, -maxReports)) rmSync(path.join(folder, old), { force: true });
  } catch {
    // The log has the event, where it can be written.
  }
}

/** The two lines that say what happened, newest last. */
export function crashSummaries(logFile: string): readonly string[] {
  const folder = path.dirname(logFile);
  return reportsIn(folder).flatMap((name) => {
    try {
      return readFileSync(path.join(folder, name), 'utf8').split('\n').slice(0, 2).join(' · ');
    } catch {
      return [];
    }
  });
}

export const crashOf = (kind: CrashKind, version: string, error: unknown): Crash => ({
  kind,
  version,
  detail: describeError(error),
});
