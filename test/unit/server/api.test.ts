import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';

import { contextRange, defaultSampling } from '../../../main/contract/domain.ts';
import type { EngineStatus } from '../../../main/contract/domain.ts';
import { AppError } from '../../../main/contract/errors.ts';
import { maxBodyBytes } from '../../../main/server/requestBody.ts';
import { apiFixture, key, question } from '../../support/apiFixture.ts';
import { scriptedEngine } from '../../support/scriptedEngine.ts';
import type { ScriptedEngine } from '../../support/scriptedEngine.ts';

const api = apiFixture();

describe('the official client', () => {
  it('gets a whole answer with usage and cached tokens', async () => {
    const answer = await api.client.chat.completions.create({ model: 'x', messages: [...question], temperature: 0 });
    expect(answer.object).toBe('chat.completion');
    expect(answer.model).toBe('x');
    expect(answer.choices[0]?.message.content).toBe('New York is a city.');
    expect(answer.choices[0]?.finish_reason).toBe('stop');
    expect(answer.usage?.prompt_tokens).toBe('user: Where is New York?\n'.length);
    expect(answer.usage?.prompt_tokens_details?.cached_tokens).toBe(3);
    expect(api.engine.requests[0]?.sampling.temperature).toBe(0);
  });

  it('cuts at max_tokens and says length; max_completion_tokens wins', async () => {
    const answer = await api.client.chat.completions.create({
      model: 'x',
      messages: [...question],
      max_tokens: 100,
      max_completion_tokens: 3,
    });
    expect(answer.choices[0]?.message.content).toBe('New');
    expect(answer.choices[0]?.finish_reason).toBe('length');
  });

  it('streams: role first, text, finish, usage only when asked, one id throughout', async () => {
    const stream = await api.client.chat.completions.create({
      model: 'x',
      messages: [...question],
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('New York is a city.');
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.at(-1)?.choices).toEqual([]);
    expect(chunks.at(-1)?.usage?.completion_tokens).toBe(19);
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);

    const plain = await api.client.chat.completions.create({ model: 'x', messages: [...question], stream: true });
    for await (const chunk of plain) expect(chunk.choices).toHaveLength(1);
  });

  it('reports logprobs with bytes and alternatives', async () => {
    const answer = await api.client.chat.completions.create({
      model: 'x',
      messages: [...question],
      logprobs: true,
      top_logprobs: 2,
      max_tokens: 2,
    });
    const content = answer.choices[0]?.logprobs?.content ?? [];
    expect(content.map(({ token }) => token).join('')).toBe('Ne');
    expect(content[0]?.bytes).toEqual([78]);
    expect(content[0]?.top_logprobs).toHaveLength(2);
  });

  it('gives n choices with consecutive seeds', async () => {
    const answer = await api.client.chat.completions.create({ model: 'x', messages: [...question], n: 3, seed: 7 });
    expect(answer.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    const [read, ...choices] = api.engine.requests;
    expect(read?.sampling.maxNewTokens).toBe(0);
    expect(choices.map(({ sampling }) => sampling.seed)).toEqual([7, 8, 9]);
    expect(answer.usage?.prompt_tokens_details?.cached_tokens).toBe(3);
  });

  it('takes prompts as text, texts, tokens and lists of tokens, and echoes', async () => {
    for (const prompt of ['ab', ['ab', 'cd'], [97, 98], [[97, 98], [99]]]) {
      const answer = await api.client.completions.create({ model: 'x', prompt, max_tokens: 3, echo: true });
      const n = typeof prompt === 'string' || typeof prompt[0] === 'number' ? 1 : 2;
      expect(answer.choices).toHaveLength(n);
      expect(answer.choices[0]?.text).toBe('abNew');
    }
  });

  it('lists the loaded model and finds it by an id with a slash', async () => {
    const { data } = await api.client.models.list();
    expect(data[0]).toMatchObject({ object: 'model', owned_by: 'nvidia' });
    expect((await api.client.models.retrieve(data[0]?.id ?? '')).id).toBe(data[0]?.id);
    await expect(api.client.models.retrieve('no/such')).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
  });

  it('tries again by itself when a retry can mend it, and only then', async () => {
    const client = new OpenAI({ apiKey: key, baseURL: `${api.url}/v1`, maxRetries: 2 });
    const ask = () => client.chat.completions.create({ model: 'x', messages: [...question] });
    const generate = api.engine.generate.bind(api.engine);
    let asked = 0;
    const fails = (error: AppError, times: number) => {
      asked = 0;
      api.engine.generate = async (request) => {
        asked += 1;
        if (asked <= times) throw error;
        return generate(request);
      };
    };
    fails(new AppError('BUSY', '128 answers are waiting already.'), 1);
    expect((await ask()).choices[0]?.message.content).toBe('New York is a city.');
    expect(asked).toBe(2);
    fails(new AppError('OUT_OF_MEMORY', 'The memory is full.'), 1);
    await expect(ask()).rejects.toMatchObject({ status: 500, code: 'out_of_memory' });
    fails(new AppError('CONTEXT_FULL', 'It does not fit.'), 1);
    await expect(ask()).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' });
    expect(asked).toBe(1);
  });

  it('retries while the model loads, and not when none is', async () => {
    api.engine.status = {
      state: 'loading',
      request: { source: 'synthetic:tiny' },
      phase: 'reading',
      doneBytes: 0,
      totalBytes: 1,
    };
    const response = await api.post('/v1/chat/completions', { messages: question });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
    api.engine.status = { state: 'empty', lastError: null };
    const empty = await api.post('/v1/chat/completions', { messages: question });
    expect(empty.status).toBe(503);
    expect(empty.headers.get('x-should-retry')).toBe('false');
  });
});

describe('bodies', () => {
  it.each([
    [{ messages: question, temperature: '0.5' }, 'temperature'],
    [{ messages: question, max_tokens: 0 }, 'max_tokens'],
    [{ messages: [] }, 'messages'],
    [{ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, 'messages.0.content.0.type'],
    [{ messages: question, top_logprobs: 3 }, 'top_logprobs'],
    [{ messages: [{ role: 'user', content: 'x'.repeat(2000) }] }, 'messages'],
  ])('%# is refused by name', async (body, param) => {
    const response = await api.post('/v1/chat/completions', body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error', param } });
  });

  it('ignores unknown fields and explicit nulls, takes null content and parts', async () => {
    const response = await api.post('/v1/chat/completions', {
      messages: [
        { role: 'developer', content: 'Be brief.' },
        { role: 'assistant', content: null },
        { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
      ],
      stop: null,
      n: null,
      seed: null,
      safety_identifier: 'x',
    });
    expect(response.status).toBe(200);
    expect(api.engine.prompts[0]).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'assistant', content: '' },
      { role: 'user', content: 'Hi' },
    ]);
  });

  it('passes on the raw format', async () => {
    await api.post('/v1/chat/completions', { messages: question, chat_template_kwargs: { format: 'raw' } });
    expect(api.engine.requests[0]?.prompt.tokens).toHaveLength('Where is New York?'.length);
  });

  it('refuses other content types, broken JSON and oversized bodies', async () => {
    expect((await api.post('/v1/chat/completions', '{}', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await api.post('/v1/chat/completions', '{')).status).toBe(400);
    const packed = await api.post('/v1/chat/completions', '{}', { 'content-encoding': 'gzip' });
    expect(packed.status).toBe(415);
    const marked = `\u{feff}${JSON.stringify({ messages: question })}`;
    expect((await api.post('/v1/chat/completions', marked)).status).toBe(200);
    const large = await api
      .post('/v1/chat/completions', JSON.stringify({ x: 'y'.repeat(maxBodyBytes) }))
      .catch(() => null);
    expect(large === null || large.status === 413).toBe(true);
    expect((await api.post('/v1/chat/completions', { messages: question })).status).toBe(200);
  });
});

describe('local fields', () => {
  it('a preset stands in for what the request leaves out, and one that is not there is refused by name', async () => {
    const sampling = { ...defaultSampling, temperature: 0.3, topK: 40, stop: ['York'] };
    await api.serve(scriptedEngine(), { presets: () => [{ name: 'Precise', sampling }] });
    const response = await api.post('/v1/chat/completions', { messages: question, preset: 'Precise', top_k: 5 });
    expect(response.status).toBe(200);
    expect(api.engine.requests[0]?.sampling).toMatchObject({ temperature: 0.3, topK: 5, stop: ['York'] });
    const missing = await api.post('/v1/chat/completions', { messages: question, preset: 'precise' });
    expect(await missing.json()).toMatchObject({
      error: { param: 'preset', message: expect.stringContaining('Precise') },
    });
  });

  it('without a limit an answer may fill the context', async () => {
    await api.post('/v1/chat/completions', { messages: question });
    expect(api.engine.requests[0]?.sampling.maxNewTokens).toBe(contextRange.max);
  });
});

describe('a server that is stopped', () => {
  it('tells a client in the middle of a stream, and the answer ends', async () => {
    const engine = scriptedEngine('x'.repeat(1000), 5);
    await api.serve(engine);
    const stream = await api.client.chat.completions.create({ model: 'x', messages: [...question], stream: true });
    const reading = (async () => {
      for await (const { choices } of stream) if (choices[0]?.delta.content === 'x') void api.stop();
    })();
    await expect(reading).rejects.toThrow('The server is being stopped.');
    expect(engine.requests[0]?.signal?.aborted).toBe(true);
  });
});

describe('an answer whose model goes away', () => {
  const lost = {
    state: 'lost',
    request: { source: 'x' },
    error: { code: 'DEVICE_LOST', message: 'The GPU is gone.', retryable: false },
  } as const;
  /** Ends as the engine does when the model goes: cancelled, though nobody left. */
  const goesAway = (engine: ScriptedEngine, status: EngineStatus) => {
    const generate = engine.generate.bind(engine);
    engine.generate = async (request) => {
      const result = await generate({ ...request, sampling: { ...request.sampling, maxNewTokens: 3 } });
      engine.status = status;
      return { ...result, stats: { ...result.stats, finishReason: 'cancelled' } };
    };
  };

  it('ends in an error, never in a shorter answer', async () => {
    goesAway(api.engine, lost);
    const response = await api.post('/v1/chat/completions', { messages: question });
    expect(response.status).toBe(500);
    expect(response.headers.get('x-should-retry')).toBe('false');
    expect(await response.json()).toMatchObject({ error: { code: 'device_lost', message: 'The GPU is gone.' } });
  });

  it('while another model loads may be asked again', async () => {
    goesAway(api.engine, { state: 'loading', request: { source: 'x' }, phase: 'reading', doneBytes: 0, totalBytes: 1 });
    const response = await api.post('/v1/completions', { prompt: 'a' });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
  });

  it('in a stream ends in an error event, which the client raises', async () => {
    goesAway(api.engine, lost);
    const stream = await api.client.chat.completions.create({ model: 'x', messages: [...question], stream: true });
    let text = '';
    await expect(async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    }).rejects.toThrow('The GPU is gone.');
    expect(text).toBe('New');
  });
});
