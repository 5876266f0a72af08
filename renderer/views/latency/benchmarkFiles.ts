/** A benchmark as files to keep and to send: JSON with everything, CSV with the rows. */
import type { Benchmark } from '../../../main/contract/benchmark.ts';

export const fileName = ({ at, environment }: Benchmark): string =>
  `nemoflash-benchmark-${new Date(at).toISOString().slice(0, 19).replace(/[:T]/g, '-')}-${environment.hash}`;

export const benchmarkJson = (benchmark: Benchmark): string => JSON.stringify(benchmark, null, 2);

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

/** One line per row; the environment stands in each, so that files can be joined. */
export function benchmarkCsv({ at, environment, rows }: Benchmark): string {
  const head = [
    ...['at', 'environment', 'device', 'model', 'format', 'threads', 'app', 'kind', 'size'],
    ...['tokens_per_second', 'tokens_per_second_low', 'tokens_per_second_high', 'seconds'],
    ...['itl_p50_ns', 'itl_p95_ns', 'itl_p99_ns', 'itl_max_ns'],
  ];
  const lines = rows.map(({ kind, size, tokensPerSecond, seconds, itlNs }) =>
    [
      new Date(at).toISOString(),
      environment.hash,
      quoted(environment.device),
      quoted(environment.model),
      environment.format,
      environment.threads,
      environment.appVersion,
      kind,
      size,
      tokensPerSecond.median,
      tokensPerSecond.low,
      tokensPerSecond.high,
      seconds.median,
      itlNs?.p50 ?? '',
      itlNs?.p95 ?? '',
      itlNs?.p99 ?? '',
      itlNs?.max ?? '',
    ].join(','),
  );
  return `${[head.join(','), ...lines].join('\n')}\n`;
}
