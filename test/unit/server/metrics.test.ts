import { expect, it } from 'vitest';

import { apiFixture, key, question } from '../../support/apiFixture.ts';

const api = apiFixture();

interface Family {
  readonly type: string;
  readonly samples: Map<string, number>;
}

/** The text format of Prometheus, version 0.0.4; throws on a line that is none of it. */
function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  for (const line of text.split('\n').filter((entry) => entry !== '')) {
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    const sample = /^([a-z_]+)(\{(?:[a-z]+="[^"\\\n]*",?)*\})? ([0-9.e+-]+|\+Inf)$/.exec(line);
    if (type) families.set(type[1] ?? '', { type: type[2] ?? '', samples: new Map() });
    else if (sample) {
      const family =
        families.get((sample[1] ?? '').replace(/_(bucket|sum|count)$/, '')) ?? families.get(sample[1] ?? '');
      if (family === undefined) throw new Error(`a sample before its type: ${line}`);
      family.samples.set(`${sample[1]}${sample[2] ?? ''}`, Number(sample[3]));
    } else if (!/^# HELP [a-z_]+ \S.*$/.test(line)) throw new Error(`not of the format: ${line}`);
  }
  return families;
}

async function scrape(): Promise<Map<string, Family>> {
  const response = await fetch(`${api.url}/metrics`, { headers: { authorization: `Bearer ${key}` } });
  expect(response.headers.get('content-type')).toContain('version=0.0.4');
  return parse(await response.text());
}

it('are what a Prometheus server reads: tokens, reuse, first token, gaps, queue, memory, requests', async () => {
  await api.client.chat.completions.create({ model: 'x', messages: [...question] });
  await api.post('/v1/chat/completions', '{');
  const families = await scrape();
  const value = (name: string, labels = '') =>
    families.get(name.replace(/_(bucket|sum|count)$/, ''))?.samples.get(name + labels);
  expect(value('nemoflash_tokens_total', '{kind="output"}')).toBe(19);
  expect(value('nemoflash_tokens_total', '{kind="prompt"}')).toBe('user: Where is New York?\n'.length);
  expect(value('nemoflash_tokens_total', '{kind="reused"}')).toBe(3);
  expect(value('nemoflash_requests_total', '{path="/chat/completions",status="200"}')).toBe(1);
  expect(value('nemoflash_requests_total', '{path="/chat/completions",status="400"}')).toBe(1);
  expect(value('nemoflash_time_to_first_token_seconds_sum')).toBeCloseTo(0.002);
  expect(value('nemoflash_inter_token_latency_seconds_count')).toBe(18);
  expect(value('nemoflash_queue_seconds_count')).toBe(1);
  for (const name of ['running_requests', 'queued_requests']) expect(value(`nemoflash_${name}`)).toBe(0);
  for (const name of ['model_ready', 'weight_bytes']) expect(value(`nemoflash_${name}`)).toBe(1);
  expect(value('nemoflash_resident_memory_bytes')).toBeGreaterThan(1e6);
  expect(value('nemoflash_sequence_bytes')).toBe(1025);
});

it('histograms are cumulative and end with all', async () => {
  await api.client.chat.completions.create({ model: 'x', messages: [...question] });
  const histograms = [...(await scrape())].filter(([, { type }]) => type === 'histogram');
  expect(histograms.length).toBeGreaterThanOrEqual(3);
  for (const [name, { samples }] of histograms) {
    const buckets = [...samples].filter(([sample]) => sample.startsWith(`${name}_bucket`)).map(([, count]) => count);
    expect(buckets).toEqual(buckets.toSorted((a, b) => a - b));
    expect(buckets.at(-1)).toBe(samples.get(`${name}_count`));
  }
});

it('without a model say so', async () => {
  api.engine.status = { state: 'empty', lastError: null };
  const families = await scrape();
  expect(families.get('nemoflash_model_ready')?.samples.get('nemoflash_model_ready')).toBe(0);
});
