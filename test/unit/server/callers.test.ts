import http from 'node:http';
import net from 'node:net';
import { once } from 'node:events';

import { describe, expect, it } from 'vitest';

import { apiFixture, key, question } from '../../support/apiFixture.ts';
import { scriptedEngine } from '../../support/scriptedEngine.ts';

const api = apiFixture();

describe('who may call', () => {
  const get = async (
    headers: Record<string, string>,
    path = '/v1/models',
    method = 'GET',
  ): Promise<http.IncomingMessage> => {
    const request = http.request(`${api.url}${path}`, { method, headers });
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
    const missing = await api.post('/v1/embeddings', {});
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({ error: { type: 'not_found_error' } });
    const wrong = await fetch(`${api.url}/v1/chat/completions`, { headers: { authorization: `Bearer ${key}` } });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('POST');
    for (const path of ['/chat/completions', '//v1/chat/completions', '/v1/chat/completions/']) {
      expect((await api.post(path, { messages: question })).status).toBe(200);
    }
  });
});

describe('connections', () => {
  /** A stream that is under way. */
  const openStream = async (): Promise<net.Socket> => {
    const socket = net.connect(Number(new URL(api.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    const body = JSON.stringify({ messages: question, stream: true });
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: ${key}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await once(socket, 'readable');
    return socket;
  };

  it('what is no HTTP ends a stream, and is not answered in the middle of it', async () => {
    await api.serve(scriptedEngine('x'.repeat(100_000), 1));
    const socket = await openStream();
    socket.write('garbage\r\n\r\n');
    let text = '';
    for await (const part of socket) text += String(part);
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200']);
    expect(api.engine.requests[0]?.signal?.aborted).toBe(true);
  });

  it('a client that does not read its stream is left', async () => {
    const engine = scriptedEngine('x');
    const generate = engine.generate.bind(engine);
    const left = new Promise<void>((resolve) => {
      engine.generate = async (request) => {
        while (request.signal?.aborted !== true) {
          request.onFrame?.({ text: 'x'.repeat(65_536), tokens: [] });
          await new Promise((next) => setImmediate(next));
        }
        resolve();
        return generate(request);
      };
    });
    await api.serve(engine);
    const socket = await openStream();
    await left;
    socket.destroy();
  });

  it('a client that leaves cancels its answer', async () => {
    await api.serve(scriptedEngine('x'.repeat(1000), 5));
    const leaving = new AbortController();
    const response = await fetch(`${api.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ messages: question, stream: true }),
      signal: leaving.signal,
    });
    await response.body?.getReader().read();
    leaving.abort();
    const { signal } = api.engine.requests[0] ?? {};
    if (signal?.aborted !== true) await once(signal as AbortSignal, 'abort');
    expect(signal?.aborted).toBe(true);
  });

  it.each([
    '\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    '\u0000\u0001\u0002',
    'POST /v1/models HTTP/1.1\r\nContent-Length: -1\r\n\r\n',
  ])('survives %j on the wire', async (bytes) => {
    const socket = net.connect(Number(new URL(api.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', () => undefined);
    socket.end(bytes);
    socket.resume();
    await once(socket, 'close');
    expect((await api.post('/v1/chat/completions', { messages: question })).status).toBe(200);
  });
});
