/** GET /metrics: what a Prometheus server scrapes. Latencies come from the engine's stamps. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

import type { LoadedModel } from '../contract/domain.ts';
import type { EngineService, GenerateResult } from '../engine/engineApi.ts';

const ttftBuckets = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];
const itlBuckets = [0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

/** Read when they are asked for. */
function addGauges(engine: EngineService, registers: Registry[]): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  const ready = (key: 'running' | 'queued') => () => (engine.status.state === 'ready' ? engine.status[key] : 0);
  const ofModel = (read: (model: LoadedModel) => number) => () =>
    engine.status.state === 'ready' ? read(engine.status.model) : 0;
  gauge(
    'nemoflash_model_ready',
    '1 while a model is loaded',
    ofModel(() => 1),
  );
  gauge('nemoflash_running_requests', 'Requests being generated', ready('running'));
  gauge('nemoflash_queued_requests', 'Requests waiting for the engine', ready('queued'));
  gauge(
    'nemoflash_weight_bytes',
    'Resident weights of the loaded model',
    ofModel(({ weightBytes }) => weightBytes),
  );
  gauge(
    'nemoflash_sequence_bytes',
    'What one request at a time takes: recurrent state and a full attention cache',
    ofModel(
      ({ stateBytes, kvBytesPerPosition, contextPositions }) => stateBytes + kvBytesPerPosition * contextPositions,
    ),
  );
  gauge('nemoflash_resident_memory_bytes', 'Resident memory of this process', () => process.memoryUsage.rss());
}

export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'path' | 'status'>;
  readonly #tokens: Counter<'kind'>;
  readonly #ttft: Histogram;
  readonly #itl: Histogram;
  readonly #queue: Histogram;

  constructor(engine: EngineService) {
    const registers = [this.#registry];
    this.#requests = new Counter({
      name: 'nemoflash_requests_total',
      help: 'Answered requests',
      labelNames: ['path', 'status'],
      registers,
    });
    this.#tokens = new Counter({
      name: 'nemoflash_tokens_total',
      help: 'Tokens: prompt (given), reused (of these, from a checkpoint), output (generated)',
      labelNames: ['kind'],
      registers,
    });
    const histogram = (name: string, help: string, buckets: number[]): Histogram =>
      new Histogram({ name, help, buckets, registers });
    this.#ttft = histogram(
      'nemoflash_time_to_first_token_seconds',
      'Submitted to first token known, queueing included',
      ttftBuckets,
    );
    this.#itl = histogram(
      'nemoflash_inter_token_latency_seconds',
      'Gap between consecutive tokens, stamped in the engine',
      itlBuckets,
    );
    this.#queue = histogram(
      'nemoflash_queue_seconds',
      'Submitted to begun: waiting for a place in the engine',
      ttftBuckets,
    );
    addGauges(engine, registers);
  }

  request(path: string, status: number): void {
    this.#requests.inc({ path, status: String(status) });
  }

  answer({ stats, tokens }: GenerateResult): void {
    this.#tokens.inc({ kind: 'prompt' }, stats.promptTokens);
    this.#tokens.inc({ kind: 'reused' }, stats.reusedTokens);
    this.#tokens.inc({ kind: 'output' }, stats.outputTokens);
    this.#queue.observe(stats.queueNs / 1e9);
    if (tokens.length > 0) this.#ttft.observe(stats.ttftNs / 1e9);
    for (let i = 1; i < tokens.length; i += 1) {
      this.#itl.observe(((tokens[i]?.stampNs ?? 0) - (tokens[i - 1]?.stampNs ?? 0)) / 1e9);
    }
  }

  /** The exposition text and its content type. */
  async read(): Promise<{ readonly text: string; readonly contentType: string }> {
    return { text: await this.#registry.metrics(), contentType: this.#registry.contentType };
  }
}
