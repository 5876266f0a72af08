/** What the authors published of their model and others, to stand beside what is measured here. Never mixed with it. */

export interface PublishedRow {
  readonly model: string;
  /** Billions. */
  readonly parameters: number;
  /** Seconds to decode 8192 tokens at batch 1. */
  readonly seconds8k: number;
  /** Tokens per second over all sequences: decoding behind 32k tokens of input each, largest batch that fits. */
  readonly throughput: number;
}

/** Nemotron-Flash (arXiv 2511.18890), table 6. */
export const published = {
  source: 'arXiv 2511.18890, table 6',
  conditions:
    'One H100, CUDA graph, kernels of TensorRT-LLM AutoDeploy for attention. Latency: 8192 tokens decoded at batch 1.',
  tokens: 8192,
  rows: [
    { model: 'Nemotron-Flash-1B', parameters: 0.96, seconds8k: 14.45, throughput: 7289 },
    { model: 'Nemotron-Flash-3B', parameters: 2.7, seconds8k: 28.71, throughput: 2939 },
    { model: 'Qwen3-0.6B', parameters: 0.6, seconds8k: 27.55, throughput: 160 },
    { model: 'Qwen3-1.7B', parameters: 1.7, seconds8k: 36.2, throughput: 157 },
    { model: 'Qwen2.5-0.5B', parameters: 0.5, seconds8k: 22.81, throughput: 2382 },
    { model: 'Qwen2.5-1.5B', parameters: 1.5, seconds8k: 34.5, throughput: 687 },
    { model: 'Qwen2.5-3B', parameters: 3, seconds8k: 49.4, throughput: 459 },
    { model: 'Llama-3.2-1B', parameters: 1.2, seconds8k: 21.44, throughput: 932 },
    { model: 'Llama-3.2-3B', parameters: 3, seconds8k: 45.47, throughput: 173 },
  ] satisfies readonly PublishedRow[],
} as const;
