import { describe, expect, it } from 'vitest';

import { apiFixture, question } from '../../support/apiFixture.ts';
import { scriptedEngine } from '../../support/scriptedEngine.ts';

const api = apiFixture();

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
    const answer = await api.client.chat.completions.create({
      model: 'x',
      messages: [...question],
      response_format: { type: 'json_schema', json_schema: { name: 'city', schema } },
    });
    const value = JSON.parse(answer.choices[0]?.message.content ?? '') as Record<string, unknown>;
    expect(Object.keys(value).sort()).toEqual(['big', 'city']);
    expect(typeof value['big']).toBe('boolean');
  });

  it('gives any JSON for json_object', async () => {
    const answer = await api.client.chat.completions.create({
      model: 'x',
      messages: [...question],
      response_format: { type: 'json_object' },
      max_tokens: 4000,
    });
    expect(() => JSON.parse(answer.choices[0]?.message.content ?? '') as unknown).not.toThrow();
  });

  it('refuses a schema that is none', async () => {
    const response = await api.post('/v1/chat/completions', {
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
    const answer = await api.client.chat.completions.create({ ...request, messages: [...question], tools: [...tools] });
    const [call] = answer.choices[0]?.message.tool_calls ?? [];
    expect(answer.choices[0]?.finish_reason).toBe('tool_calls');
    expect(answer.choices[0]?.message.content).toBeNull();
    expect(call?.type === 'function' && call.function.name).toBe('find_city');

    const runner = api.client.chat.completions.stream({ ...request, messages: [...question], tools: [...tools] });
    const final = await runner.finalChatCompletion();
    const [streamed] = final.choices[0]?.message.tool_calls ?? [];
    const text = streamed?.type === 'function' ? streamed.function.arguments : '';
    expect(Object.keys(JSON.parse(text) as object).sort()).toEqual(['big', 'city']);
    expect(api.engine.prompts[0]?.[0]?.content).toContain('find_city');
  });

  it('refuses a choice of a function that is not there', async () => {
    const choice = { type: 'function', function: { name: 'other' } };
    const response = await api.post('/v1/chat/completions', { messages: question, tools, tool_choice: choice });
    expect(await response.json()).toMatchObject({ error: { param: 'tool_choice' } });
  });

  it('beside tools the text streams at once, and the call when its name is known', async () => {
    await api.serve(scriptedEngine('It is. <tool_call>{"name": "find_city", "arguments": {"a": 1}}</tool_call>'));
    // The double says what it is told to where no grammar holds it.
    const generate = api.engine.generate.bind(api.engine);
    api.engine.generate = async ({ constraint: _none, ...request }) => generate(request);
    const stream = await api.client.chat.completions.create({
      ...{ model: 'x', messages: [...question], tools: [...tools], stream: true },
    });
    const deltas = [];
    for await (const { choices } of stream) deltas.push(choices[0]?.delta);
    expect(deltas[1]).toEqual({ content: 'I' });
    expect(deltas.map((delta) => delta?.content ?? '').join('')).toBe('It is. ');
    const calls = deltas.flatMap((delta) => delta?.tool_calls ?? []);
    expect(calls[0]).toMatchObject({ index: 0, id: expect.stringMatching(/^call_/), function: { name: 'find_city' } });
    expect(calls.slice(1).every(({ id, function: call }) => id === undefined && call?.name === undefined)).toBe(true);
    expect(calls.map(({ function: call }) => call?.arguments).join('')).toBe('{"a": 1}');
  });
});
