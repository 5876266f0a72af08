/**
 * Whether the last run came to its end: each running process keeps a small file, and removes it when it ends in order.
 * One that is left behind by a process that is gone means a crash, a kill or a power cut.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { z } from 'zod';

const lastRunSchema = z.object({
  version: z.string(),
  startedAt: z.number(),
  /** The model that was being loaded then. */
  loading: z.string().nullable(),
});
export type LastRun = z.infer<typeof lastRunSchema>;

const fileName = /^run-(\d+)\.json$/;

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false; // a number used again: the file is older than we are
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export class RunRecord {
  readonly #file: string;
  readonly #version: string;
  readonly #startedAt: number;
  #loading: string | null = null;

  /** Of the runs that did not come to their end, the latest; null when all did. */
  readonly crashed: LastRun | null;

  private constructor(folder: string, version: string, now: number) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#file = path.join(folder, `run-${process.pid}.json`);
    this.#version = version;
    this.#startedAt = now;
    this.crashed = takeLeftBehind(folder);
    this.#write();
  }

  static openSync(folder: string, version: string, now = Date.now()): RunRecord {
    return new RunRecord(folder, version, now);
  }

  /** A model that brings the whole process down must not do so at every start. */
  noteLoading(source: string | null): void {
    if (source === this.#loading) return;
    this.#loading = source;
    this.#write();
  }

  /** Idempotent. */
  end(): void {
    rmSync(this.#file, { force: true });
  }

  /** Never stops the app: without the file the next start only knows less. */
  #write(): void {
    const run: LastRun = { version: this.#version, startedAt: this.#startedAt, loading: this.#loading };
    try {
      writeFileSync(this.#file, JSON.stringify(run), { mode: 0o600 });
    } catch {
      // A full or read-only disk is told where it matters: at the settings and the chats.
    }
  }
}

function takeLeftBehind(folder: string): LastRun | null {
  const runs: LastRun[] = [];
  for (const name of readdirSync(folder)) {
    const pid = Number(fileName.exec(name)?.[1]);
    if (!Number.isInteger(pid) || isAlive(pid)) continue;
    const file = path.join(folder, name);
    const run = readRun(file);
    rmSync(file, { force: true });
    if (run !== null) runs.push(run);
  }
  return runs.sort((a, b) => b.startedAt - a.startedAt)[0] ?? null;
}

function readRun(file: string): LastRun | null {
  try {
    return lastRunSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return null;
  }
}
