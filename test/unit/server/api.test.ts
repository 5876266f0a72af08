import http from 'node:http';
import net from 'node:net';
import { once } from 'node:events';

import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Api, maxBodyBytes } from '../../../main/server/api.ts';
import { ApiServer } from '../../../main/server/apiServer.ts';
import type { ScriptedEngine } from '../../support/scriptedEngine.ts';
import { scriptedEngine } from '../../support/scriptedEngine.ts';

const key = 'nf-test-key';
const question = [{ role: 'user', content: 'Where is New York?' }] as const;

let engine: ScriptedEngine;
let server: ApiServer;
let client: OpenAI;

async function serve(next: ScriptedEngine): Promise<void> {
  engine = next;
  const api = new Api({
    engine,
    version: '0.0.0',
    apiKey: key,
    allowedOrigins: ['https://ok.example'],
    allowedHosts: [],
  });
  server = new ApiServer(api);
  const url = await server.start({ host: '127.0.0.1', port: 0 });
  client = new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 });
}

beforeEach(async () => serve(scriptedEngine()));
afterEach(async () => server.close());

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

describe('the official client', () => {
  it('gets a whole answer with usage and cached tokens', async () => {
    const answer = await client.chat.completions.create({ model: 'x', messages: [...question], temperature: 0 });
    expect(answer.object).toBe('chat.completion');
    expect(answer.model).toBe('x');
    expect(answer.choices[0]?.message.content).toBe('New York is a city.');
    expect(answer.choices[0]?.finish_reason).toBe('stop');
    expect(answer.usage?.prompt_tokens).toBe('user: Where is New York?\n'.length);
    expect(answer.usage?.prompt_tokens_details?.cached_tokens).toBe(3);
    expect(engine.requests[0]?.sampling.temperature).toBe(0);
  });

  it('cuts at max_tokens and says length; max_completion_tokens wins', async () => {
    const answer = await client.chat.completions.create({
      model: 'x',
      messages: [...question],
      max_tokens: 100,
      max_completion_tokens: 3,
    });
    expect(answer.choices[0]?.message.content).toBe('New');
    expect(answer.choices[0]?.finish_reason).toBe('length');
  });

  it('streams: role first, text, finish, usage only when asked, one id throughout', async () => {
    const stream = await client.chat.completions.create({
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

    const plain = await client.chat.completions.create({ model: 'x', messages: [...question], stream: true });
    for await (const chunk of plain) expect(chunk.choices).toHaveLength(1);
  });

  it('reports logprobs with bytes and alternatives', async () => {
    const answer = await client.chat.completions.create({
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
    const answer = await client.chat.completions.create({ model: 'x', messages: [...question], n: 3, seed: 7 });
    expect(answer.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    const [read, ...choices] = engine.requests;
    expect(read?.sampling.maxNewTokens).toBe(0);
    expect(choices.map(({ sampling }) => sampling.seed)).toEqual([7, 8, 9]);
    expect(answer.usage?.prompt_tokens_details?.cached_tokens).toBe(3);
  });

  it('takes prompts as text, texts, tokens and lists of tokens, and echoes', async () => {
    for (const prompt of ['ab', ['ab', 'cd'], [97, 98], [[97, 98], [99]]]) {
      const answer = await client.completions.create({ model: 'x', prompt, max_tokens: 3, echo: true });
      const n = typeof prompt === 'string' || typeof prompt[0] === 'number' ? 1 : 2;
      expect(answer.choices).toHaveLength(n);
      expect(answer.choices[0]?.text).toBe('abNew');
    }
  });

  it('lists the loaded model and finds it by an id with a slash', async () => {
    const { data } = await client.models.list();
    expect(data[0]).toMatchObject({ object: 'model', owned_by: 'nvidia' });
    expect((await client.models.retrieve(data[0]?.id ?? '')).id).toBe(data[0]?.id);
    await expect(client.models.retrieve('no/such')).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
  });

  it('retries while the model loads, and not when none is', async () => {
    engine.status = {
      state: 'loading',
      request: { source: 'synthetic:tiny' },
      phase: 'reading',
      doneBytes: 0,
      totalBytes: 1,
    };
    const response = await post('/v1/chat/completions', { messages: question });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
    engine.status = { state: 'empty', lastError: null };
    const empty = await post('/v1/chat/completions', { messages: question });
    expect(empty.status).toBe(503);
    expect(empty.headers.get('x-should-retry')).toBe('false');
  });
});

describe('responses', () => {
  it('answers, remembers, and continues by id', async () => {
    const first = await client.responses.create({ model: 'x', input: 'Where is New York?', instructions: 'Be brief.' });
    expect(first.output_text).toBe('New York is a city.');
    expect(first.status).toBe('completed');
    expect(first.usage?.input_tokens_details.cached_tokens).toBe(3);
    await client.responses.create({ model: 'x', input: 'And Boston?', previous_response_id: first.id });
    expect(engine.prompts[1]).toEqual([
      { role: 'user', content: 'Where is New York?' },
      { role: 'assistant', content: 'New York is a city.' },
      { role: 'user', content: 'And Boston?' },
    ]);
    await expect(client.responses.create({ model: 'x', input: 'x', previous_response_id: 'no' })).rejects.toMatchObject(
      {
        status: 404,
      },
    );
  });

  it('streams typed events', async () => {
    const stream = await client.responses.create({ model: 'x', input: 'Hi', stream: true, max_output_tokens: 3 });
    const types: string[] = [];
    let text = '';
    for await (const event of stream) {
      types.push(event.type);
      if (event.type === 'response.output_text.delta') text += event.delta;
    }
    expect(text).toBe('New');
    expect(types[0]).toBe('response.created');
    expect(types.at(-1)).toBe('response.incomplete');
  });
});

describe('structured answers', () => {
  const schema = {
    type: 'object',
    properties: { city: { type: 'string' }, big: { type: 'boolean' } },
    required: ['city', 'big'],
    additionalProperties: false,
  };
  const parameters = schema;
  const tools = [{ type: 'function', function: { name: 'find_city', parameters } }] as const;

  it('follows a JSON schema', async () => {
    const answer = await client.chat.completions.create({
      model: 'x',
      messages: [...question],
      response_format: { type: 'json_schema', json_schema: { name: 'city', schema } },
    });
    const value = JSON.parse(answer.choices[0]?.message.content ?? '') as Record<string, unknown>;
    expect(Object.keys(value).sort()).toEqual(['big', 'city']);
    expect(typeof value['big']).toBe('boolean');
  });

  it('gives any JSON for json_object', async () => {
    const answer = await client.chat.completions.create({
      model: 'x',
      messages: [...question],
      response_format: { type: 'json_object' },
      max_tokens: 4000,
    });
    expect(() => JSON.parse(answer.choices[0]?.message.content ?? '') as unknown).not.toThrow();
  });

  it('refuses a schema that is none', async () => {
    const response = await post('/v1/chat/completions', {
      messages: question,
      response_format: { type: 'json_schema', json_schema: { schema: { type: 'no-such-type' } } },
    });
    expect(response.status).toBe(400);
  });

  it('calls a forced function, whole and streamed', async () => {
    const request = {
      model: 'x',
      messages: [...question],
      tools: [...tools],
      tool_choice: { type: 'function', function: { name: 'find_city' } },
    } as const;
    const answer = await client.chat.completions.create({ ...request, messages: [...question], tools: [...tools] });
    const [call] = answer.choices[0]?.message.tool_calls ?? [];
    expect(answer.choices[0]?.finish_reason).toBe('tool_calls');
    expect(answer.choices[0]?.message.content).toBeNull();
    expect(call?.type === 'function' && call.function.name).toBe('find_city');

    const runner = client.chat.completions.stream({ ...request, messages: [...question], tools: [...tools] });
    const final = await runner.finalChatCompletion();
    const [streamed] = final.choices[0]?.message.tool_calls ?? [];
    const text = streamed?.type === 'function' ? streamed.function.arguments : '';
    expect(Object.keys(JSON.parse(text) as object).sort()).toEqual(['big', 'city']);
    expect(engine.prompts[0]?.[0]?.content).toContain('find_city');
  });

  it('refuses a choice of a function that is not there', async () => {
    const choice = { type: 'function', function: { name: 'other' } };
    const response = await post('/v1/chat/completions', { messages: question, tools, tool_choice: choice });
    expect(await response.json()).toMatchObject({ error: { param: 'tool_choice' } });
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
    const response = await post('/v1/chat/completions', body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error', param } });
  });

  it('ignores unknown fields and explicit nulls, takes null content and parts', async () => {
    const response = await post('/v1/chat/completions', {
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
    expect(engine.prompts[0]).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'assistant', content: '' },
      { role: 'user', content: 'Hi' },
    ]);
  });

  it('passes on the raw format', async () => {
    await post('/v1/chat/completions', { messages: question, chat_template_kwargs: { format: 'raw' } });
    expect(engine.requests[0]?.prompt.tokens).toHaveLength('Where is New York?'.length);
  });

  it('refuses other content types, broken JSON and oversized bodies', async () => {
    expect((await post('/v1/chat/completions', '{}', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post('/v1/chat/completions', '{')).status).toBe(400);
    const large = await post('/v1/chat/completions', JSON.stringify({ x: 'y'.repeat(maxBodyBytes) })).catch(() => null);
    expect(large === null || large.status === 413).toBe(true);
    expect((await post('/v1/chat/completions', { messages: question })).status).toBe(200);
  });
});

describe('who may call', () => {
  const get = async (
    headers: Record<string, string>,
    path = '/v1/models',
    method = 'GET',
  ): Promise<http.IncomingMessage> => {
    const request = http.request(`${server.url}${path}`, { method, headers });
    request.end();
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    return response;
  };

  it('needs the key for everything but /health', async () => {
    expect((await get({})).statusCode).toBe(401);
    expect((await get({ authorization: 'Bearer wrong' })).statusCode).toBe(401);
    expect((await get({ 'x-api-key': key })).statusCode).toBe(200);
    expect((await get({}, '/health')).statusCode).toBe(200);
  });

  it('refuses a foreign Host even with the key, in every spelling', async () => {
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:80', '127.0.0.1@evil']) {
      expect((await get({ host, authorization: `Bearer ${key}` })).statusCode).not.toBe(200);
    }
    expect((await get({ host: 'localhost:1', authorization: `Bearer ${key}` })).statusCode).toBe(200);
  });

  it('refuses every origin but the exact ones allowed', async () => {
    for (const origin of ['https://evil.example', 'https://ok.example.evil', 'null', 'http://127.0.0.1:1']) {
      expect((await get({ origin, authorization: `Bearer ${key}` })).statusCode).toBe(403);
      expect((await get({ origin }, '/v1/models', 'OPTIONS')).statusCode).toBe(403);
    }
    const preflight = await get({ origin: 'https://ok.example' }, '/v1/models', 'OPTIONS');
    expect(preflight.statusCode).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe('https://ok.example');
    expect((await get({ origin: 'https://ok.example' })).headers['access-control-allow-origin']).toBe(
      'https://ok.example',
    );
  });

  it('answers unknown paths and methods in the same form', async () => {
    const missing = await post('/v1/embeddings', {});
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({ error: { type: 'not_found_error' } });
    const wrong = await fetch(`${server.url}/v1/chat/completions`, { headers: { authorization: `Bearer ${key}` } });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('POST');
    for (const path of ['/chat/completions', '//v1/chat/completions', '/v1/chat/completions/']) {
      expect((await post(path, { messages: question })).status).toBe(200);
    }
  });
});

describe('connections', () => {
  it('a client that leaves cancels its answer', async () => {
    await server.close();
    await serve(scriptedEngine('x'.repeat(1000), 5));
    const leaving = new AbortController();
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ messages: question, stream: true }),
      signal: leaving.signal,
    });
    await response.body?.getReader().read();
    leaving.abort();
    const { signal } = engine.requests[0] ?? {};
    if (signal?.aborted !== true) await once(signal as AbortSignal, 'abort');
    expect(signal?.aborted).toBe(true);
  });

  it.each([
    '\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    '\u0000\u0001\u0002',
    'POST /v1/models HTTP/1.1\r\nContent-Length: -1\r\n\r\n',
  ])('survives %j on the wire', async (bytes) => {
    const socket = net.connect(Number(new URL(server.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', () => undefined);
    socket.end(bytes);
    socket.resume();
    await once(socket, 'close');
    expect((await post('/v1/chat/completions', { messages: question })).status).toBe(200);
  });

  it('exports metrics in Prometheus form', async () => {
    await client.chat.completions.create({ model: 'x', messages: [...question] });
    const response = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${key}` } });
    const text = await response.text();
    expect(text).toContain('nemoflash_tokens_total{kind="output"} 19');
    expect(text).toContain('nemoflash_inter_token_latency_seconds_count 18');
  });
});
