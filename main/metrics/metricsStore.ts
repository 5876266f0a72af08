/** Measurements on disk, beside the chats. They hold no text. */
import { z } from 'zod';

import type { Percentiles } from '../contract/domain.ts';
import { happenings, pageMarks, startupMarks } from '../contract/metrics.ts';
import type { AnswerRecord, Environment, PageSeries, Startup, StartupMark } from '../contract/metrics.ts';
import type { Database, Row } from '../history/database.ts';
import { statsSchema } from '../history/schemas.ts';
import type { MeasuredMedians } from './regression.ts';

/** The oldest make room. */
const keptAnswers = 20_000;
const keptStartups = 100;
/** Shorter answers say little about the usual gap. */
const minTokensForMedian = 16;
/** So many newest answers of an environment say what is usual in it. */
const answersPerMedian = 50;
const environmentsCompared = 20;

const amount = z.number().min(0);
const classTimes = z.array(amount);
const percentiles = z.object({ p50: amount, p95: amount, p99: amount, max: amount });
const figuresSchema = z.object({
  stats: statsSchema,
  ttstNs: amount.nullable().catch(null),
  anatomy: z.object({ medianNs: classTimes, worstNs: classTimes }).nullable().catch(null),
  detokeniseNs: amount.nullable().catch(null),
  worst: z
    .array(
      z.object({
        index: amount,
        gapNs: amount,
        forwardNs: amount,
        sampleNs: amount,
        classNs: classTimes.nullable().catch(null),
        meanwhile: z.array(z.object({ kind: z.enum(happenings), durationNs: amount })).catch([]),
      }),
    )
    .catch([]),
  ipcNs: percentiles.nullable().catch(null),
  paintNs: percentiles.nullable().catch(null),
});
const environmentSchema = z.looseObject({ hash: z.string(), appVersion: z.string(), device: z.string() });
const marksSchema = z.partialRecord(z.enum([...startupMarks, ...pageMarks]), z.number());

function parsed<T>(value: unknown, schema: z.ZodType<T>): T | null {
  try {
    return schema.safeParse(JSON.parse(String(value))).data ?? null;
  } catch {
    return null;
  }
}

/** What was written by a version that measured otherwise is left out. */
function readRecord(row: Row): AnswerRecord | null {
  const figures = parsed(row['figures'], figuresSchema);
  if (figures === null) return null;
  return {
    ...figures,
    id: Number(row['id']),
    messageId: typeof row['message_id'] === 'string' ? row['message_id'] : null,
    at: Number(row['at']),
    environment: String(row['environment']),
  };
}

export type NewRecord = Omit<AnswerRecord, 'id' | 'messageId' | keyof PageSeries>;

export class MetricsStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  rememberEnvironment(environment: Environment, at: number): void {
    this.#database.run(
      'INSERT OR IGNORE INTO environments (hash, first_seen, fields) VALUES (?, ?, ?)',
      environment.hash,
      at,
      JSON.stringify(environment),
    );
  }

  environment(hash: string): Environment | null {
    const row = this.#database.get('SELECT fields FROM environments WHERE hash = ?', hash);
    return parsed(row?.['fields'], environmentSchema) as Environment | null;
  }

  /** Returns its id. Its environment must be known. Loses nothing of worth when the power goes a moment later. */
  add({ at, environment, ...figures }: NewRecord): number {
    return this.#database.relaxed(() => {
      const { stats } = figures;
      const row = this.#database.get(
        `INSERT INTO answer_records (at, environment, itl_p50_ns, output_tokens, figures)
         VALUES (?, ?, ?, ?, ?) RETURNING id`,
        at,
        environment,
        stats.itlNs?.p50 ?? null,
        stats.outputTokens,
        JSON.stringify(figures),
      );
      const id = Number(row?.['id']);
      this.#database.run('DELETE FROM answer_records WHERE id <= ?', id - keptAnswers);
      return id;
    });
  }

  attach(id: number, messageId: string): void {
    this.#database.relaxed(() =>
      this.#database.run('UPDATE answer_records SET message_id = ? WHERE id = ?', messageId, id),
    );
  }

  /** What the page measured of an answer; nothing happens when the answer is not known. */
  addPageSeries(
    messageId: string,
    { ipcNs, paintNs }: { readonly ipcNs: Percentiles | null; readonly paintNs: Percentiles | null },
  ): void {
    this.#database.relaxed(() =>
      this.#database.run(
        `UPDATE answer_records SET figures = json_set(figures, '$.ipcNs', json(?), '$.paintNs', json(?))
         WHERE id = (SELECT max(id) FROM answer_records WHERE message_id = ?)`,
        JSON.stringify(ipcNs),
        JSON.stringify(paintNs),
        messageId,
      ),
    );
  }

  /** The newest of a message: each continuation makes one. */
  ofMessage(messageId: string): AnswerRecord | null {
    const row = this.#database.get(
      'SELECT * FROM answer_records WHERE message_id = ? ORDER BY id DESC LIMIT 1',
      messageId,
    );
    return row === undefined ? null : readRecord(row);
  }

  /** Newest first. */
  list(limit: number): readonly AnswerRecord[] {
    return this.#database
      .all('SELECT * FROM answer_records ORDER BY id DESC LIMIT ?', limit)
      .map(readRecord)
      .filter((record) => record !== null);
  }

  /** Medians by environment, the one used last first. */
  medians(): readonly MeasuredMedians[] {
    const hashes = this.#database.all(
      'SELECT environment FROM answer_records GROUP BY environment ORDER BY max(id) DESC LIMIT ?',
      environmentsCompared,
    );
    return hashes.flatMap((row) => {
      const environment = this.environment(String(row['environment']));
      return environment === null ? [] : [{ environment, itlNs: this.#mediansOf(environment.hash) }];
    });
  }

  #mediansOf(hash: string): readonly number[] {
    return this.#database
      .all(
        `SELECT itl_p50_ns FROM answer_records
         WHERE environment = ? AND output_tokens >= ? AND itl_p50_ns IS NOT NULL ORDER BY id DESC LIMIT ?`,
        hash,
        minTokensForMedian,
        answersPerMedian,
      )
      .map((row) => Number(row['itl_p50_ns']));
  }

  addStartup(at: number, appVersion: string): number {
    return this.#database.relaxed(() => {
      const row = this.#database.get(
        `INSERT INTO startups (at, app_version, marks) VALUES (?, ?, '{}') RETURNING id`,
        at,
        appVersion,
      );
      const id = Number(row?.['id']);
      this.#database.run('DELETE FROM startups WHERE id <= ?', id - keptStartups);
      return id;
    });
  }

  setStartupMarks(id: number, marksMs: Startup['marksMs']): void {
    this.#database.relaxed(() =>
      this.#database.run('UPDATE startups SET marks = ? WHERE id = ?', JSON.stringify(marksMs), id),
    );
  }

  /** Newest first. */
  startups(limit: number): readonly Startup[] {
    return this.#database.all('SELECT * FROM startups ORDER BY id DESC LIMIT ?', limit).map((row) => ({
      id: Number(row['id']),
      at: Number(row['at']),
      appVersion: String(row['app_version']),
      marksMs: (parsed(row['marks'], marksSchema) ?? {}) as Partial<Record<StartupMark, number>>,
    }));
  }
}
