/** Benchmarks on disk, so that today's can be held against last month's. */
import { z } from 'zod';

import type { Benchmark } from '../contract/benchmark.ts';
import type { Environment } from '../contract/metrics.ts';
import type { Database } from '../history/database.ts';

const spread = z.object({ median: z.number(), low: z.number(), high: z.number() });
const resultSchema = z.looseObject({
  environment: z.looseObject({ hash: z.string(), device: z.string(), format: z.string() }),
  plan: z.looseObject({ repetitions: z.number() }),
  rows: z.array(
    z.looseObject({ kind: z.enum(['decode', 'prefill', 'sequences']), size: z.number(), tokensPerSecond: spread }),
  ),
  leftOut: z.array(z.string()),
});

export class BenchmarkStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  add(benchmark: Omit<Benchmark, 'id'>): Benchmark {
    const { at, ...result } = benchmark;
    const remembered: Environment = result.environment;
    return this.#database.transaction(() => {
      this.#database.run(
        'INSERT OR IGNORE INTO environments (hash, first_seen, fields) VALUES (?, ?, ?)',
        remembered.hash,
        at,
        JSON.stringify(remembered),
      );
      const row = this.#database.get(
        `INSERT INTO benchmarks (at, environment, kind, result) VALUES (?, ?, 'plan', ?) RETURNING id`,
        at,
        remembered.hash,
        JSON.stringify(result),
      );
      return { id: Number(row?.['id']), ...benchmark };
    });
  }

  /** Newest first; what another version wrote in another way is left out. */
  list(): readonly Benchmark[] {
    return this.#database
      .all(`SELECT id, at, result FROM benchmarks WHERE kind = 'plan' ORDER BY id DESC`)
      .flatMap((row) => {
        const parsed = resultSchema.safeParse(JSON.parse(String(row['result'])));
        if (!parsed.success) return [];
        return [{ ...(parsed.data as unknown as Benchmark), id: Number(row['id']), at: Number(row['at']) }];
      });
  }

  remove(id: number): void {
    this.#database.run('DELETE FROM benchmarks WHERE id = ?', id);
  }
}
