/** The API over a scripted engine on a port of its own, and the clients that ask it, anew for every test. */
import OpenAI from 'openai';
import { afterEach, beforeEach } from 'vitest';

import { Api } from '../../main/server/api.ts';
import type { ApiOptions } from '../../main/server/api.ts';
import { ApiServer } from '../../main/server/apiServer.ts';
import type { ScriptedEngine } from './scriptedEngine.ts';
import { scriptedEngine } from './scriptedEngine.ts';

export const key = 'nf-test-key';
export const question = [{ role: 'user', content: 'Where is New York?' }] as const;

export interface ApiFixture {
  engine: ScriptedEngine;
  url: string;
  client: OpenAI;
  /** Instead of what is served now. */
  serve(engine: ScriptedEngine, options?: Partial<ApiOptions>): Promise<void>;
  stop(): Promise<void>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
}

export function apiFixture(): ApiFixture {
  let server: ApiServer | null = null;
  const fixture: ApiFixture = {
    engine: scriptedEngine(),
    url: '',
    client: new OpenAI({ apiKey: key }),
    async serve(engine, options = {}) {
      await server?.close();
      const api = new Api({
        ...{ engine, version: '0.0.0', apiKey: key, allowedOrigins: ['https://ok.example'], allowedHosts: [] },
        ...options,
      });
      server = new ApiServer(api);
      fixture.engine = engine;
      fixture.url = await server.start({ host: '127.0.0.1', port: 0 });
      fixture.client = new OpenAI({ apiKey: key, baseURL: `${fixture.url}/v1`, maxRetries: 0 });
    },
    stop: async () => server?.close(),
    post: async (path, body, headers = {}) =>
      fetch(`${fixture.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
  };
  beforeEach(async () => fixture.serve(scriptedEngine()));
  afterEach(async () => server?.close());
  return fixture;
}
