import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { OpenAICompatibleProvider } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { Api } from '../../../main/server/api.ts';
import { ApiServer } from '../../../main/server/apiServer.ts';
import { scriptedEngine } from '../../support/scriptedEngine.ts';

const apiKey = 'nf-second-client';
const prompt = 'Where is New York?';
interface City {
  readonly city: string;
  readonly big: boolean;
}
const city = jsonSchema<City>({
  type: 'object',
  properties: { city: { type: 'string' }, big: { type: 'boolean' } },
  required: ['city', 'big'],
  additionalProperties: false,
});

const engine = scriptedEngine();
const server = new ApiServer(new Api({ engine, version: '0', apiKey, allowedOrigins: [], allowedHosts: [] }));
let nemoflash: OpenAICompatibleProvider;
beforeAll(async () => {
  const url = await server.start({ host: '127.0.0.1', port: 0 });
  const base = { name: 'nemoflash', baseURL: `${url}/v1`, apiKey, supportsStructuredOutputs: true, includeUsage: true };
  nemoflash = createOpenAICompatible(base);
});
afterAll(async () => server.close());
beforeEach(() => (engine.requests.length = engine.prompts.length = 0));

describe('the AI SDK', () => {
  it('gets a whole answer with its usage', async () => {
    const answer = await generateText({ model: nemoflash('x'), prompt, temperature: 0, maxOutputTokens: 8 });
    expect(answer.text).toBe('New York');
    expect(answer.finishReason).toBe('length');
    expect(answer.usage).toMatchObject({ inputTokens: `user: ${prompt}\n`.length, outputTokens: 8 });
    expect(answer.usage.inputTokenDetails.cacheReadTokens).toBe(3);
    expect(engine.requests[0]?.sampling).toMatchObject({ temperature: 0, maxNewTokens: 8 });
  });

  it('streams text, then the reason and the usage', async () => {
    const answer = streamText({ model: nemoflash('x'), prompt });
    const parts: string[] = [];
    for await (const part of answer.textStream) parts.push(part);
    expect(parts.length).toBeGreaterThan(5);
    expect(parts.join('')).toBe('New York is a city.');
    expect(await answer.finishReason).toBe('stop');
    expect((await answer.usage).outputTokens).toBe('New York is a city.'.length);
  });

  it('calls a tool, and goes on with what it gave', async () => {
    const asked: City[] = [];
    const answer = await generateText({
      model: nemoflash('x'),
      prompt,
      tools: {
        find_city: tool({ description: 'Finds a city', inputSchema: city, execute: (input) => asked.push(input) }),
      },
      toolChoice: 'required',
      stopWhen: stepCountIs(2),
    });
    expect(answer.steps).toHaveLength(2);
    expect(answer.steps[0]?.toolCalls[0]).toMatchObject({ toolName: 'find_city' });
    expect(typeof asked[0]?.big).toBe('boolean');
    const second = engine.prompts[1] ?? [];
    expect(second.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user']);
    expect(second[2]?.content).toMatch(/^<tool_call>\{"name": "find_city", "arguments": \{.*\}\}<\/tool_call>$/s);
  });

  it('streams a tool call', async () => {
    const tools = { find_city: tool({ inputSchema: city, execute: (input) => input }) };
    const answer = streamText({
      model: nemoflash('x'),
      prompt,
      tools,
      toolChoice: { type: 'tool', toolName: 'find_city' },
    });
    expect((await answer.toolCalls)[0]).toMatchObject({ toolName: 'find_city', input: { big: expect.any(Boolean) } });
    expect(await answer.finishReason).toBe('tool-calls');
  });

  it('gets an object that follows a schema', async () => {
    const { output } = await generateText({ model: nemoflash('x'), prompt, output: Output.object({ schema: city }) });
    expect(Object.keys(output).sort()).toEqual(['big', 'city']);
  });

  it('hears why it was refused, and does not retry what a retry cannot mend', async () => {
    const refused = generateText({ model: nemoflash('x'), prompt: 'x'.repeat(3000) });
    await expect(refused).rejects.toSatisfy(
      (error) => APICallError.isInstance(error) && error.statusCode === 400 && !error.isRetryable,
    );
    expect(engine.requests).toHaveLength(0);
  });
});
