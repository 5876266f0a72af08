/**
 * The app's log: one small file that rotates. What people write, what the model answers and secrets have no place in
 * it: callers pass an event's name and plain numbers, codes and paths. Errors are logged by name and stack.
 */
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';

export type LogLevel = 'info' | 'warning' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export interface Log {
  info(event: string, fields?: LogFields): void;
  warning(event: string, fields?: LogFields): void;
  error(event: string, error: unknown, fields?: LogFields): void;
}

/** One file and one older one: at most twice this many bytes on disk. */
const maxFileBytes = 1_000_000;
const maxLineChars = 4000;

/** For tests and for command lines that report on stderr themselves. */
export const silentLog: Log = { info: () => undefined, warning: () => undefined, error: () => undefined };

/** A stack without its first line: the message may quote what the user wrote, the places never do. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const code = 'code' in error ? ` ${String(error.code)}` : '';
  const places = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const cause = error.cause === undefined ? '' : ` | caused by ${describeError(error.cause)}`;
  return `${error.name}${code}${places.map((line) => ` ${line.trim()}`).join(';')}${cause}`;
}

/**
 * Lines are few (starts, ends, failures) and must survive a crash in the next instruction, so they are written at once.
 * A log that cannot be written never stops the app.
 */
export function openLog(file: string, now: () => Date = () => new Date()): Log {
  let isPlaced = false;
  const write = (level: LogLevel, event: string, fields: LogFields) => {
    const details = Object.entries(fields).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    const line = [now().toISOString(), level, event, ...details].join(' ').slice(0, maxLineChars);
    try {
      if (!isPlaced) mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
      isPlaced = true;
      rotateIfFull(file);
      appendFileSync(file, `${line}\n`, { mode: 0o600 });
    } catch {
      // Nowhere left to say so.
    }
  };
  return {
    info: (event, fields = {}) => write('info', event, fields),
    warning: (event, fields = {}) => write('warning', event, fields),
    error: (event, error, fields = {}) => write('error', event, { ...fields, error: describeError(error) }),
  };
}

function rotateIfFull(file: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size >= maxFileBytes) renameSync(file, `${file}.1`);
}
