import { describe, expect, it } from 'vitest';

import { ResponseStore } from '../../../main/server/responseStore.ts';
import { apiFixture } from '../../support/apiFixture.ts';

const api = apiFixture();

describe('responses', () => {
  it('answers, remembers, and continues by id', async () => {
    const first = await api.client.responses.create({
      model: 'x',
      input: 'Where is New York?',
      instructions: 'Be brief.',
    });
    expect(first.output_text).toBe('New York is a city.');
    expect(first.status).toBe('completed');
    expect(first.usage?.input_tokens_details.cached_tokens).toBe(3);
    await api.client.responses.create({ model: 'x', input: 'And Boston?', previous_response_id: first.id });
    expect(api.engine.prompts[1]).toEqual([
      { role: 'user', content: 'Where is New York?' },
      { role: 'assistant', content: 'New York is a city.' },
      { role: 'user', content: 'And Boston?' },
    ]);
    await expect(
      api.client.responses.create({ model: 'x', input: 'x', previous_response_id: 'no' }),
    ).rejects.toMatchObject({
      status: 404,
    });
  });

  it('streams typed events', async () => {
    const stream = await api.client.responses.create({ model: 'x', input: 'Hi', stream: true, max_output_tokens: 3 });
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

  it('follows a schema', async () => {
    const schema = {
      type: 'object',
      properties: { big: { type: 'boolean' } },
      required: ['big'],
      additionalProperties: false,
    };
    const format = { type: 'json_schema', name: 'size', schema } as const;
    const answer = await api.client.responses.create({ model: 'x', input: 'Hi', text: { format } });
    expect(typeof (JSON.parse(answer.output_text) as { big: unknown }).big).toBe('boolean');
  });

  it('calls a function, whole and streamed, and takes what it gave', async () => {
    const parameters = {
      type: 'object',
      properties: { city: { type: 'string' } },
      required: ['city'],
      additionalProperties: false,
    };
    const request = {
      model: 'x',
      input: 'Where is New York?',
      tools: [{ type: 'function' as const, name: 'find', parameters, strict: true }],
      tool_choice: { type: 'function' as const, name: 'find' },
    };
    const whole = await api.client.responses.create(request);
    const [call] = whole.output;
    expect(call).toMatchObject({ type: 'function_call', name: 'find', status: 'completed' });
    const stream = api.client.responses.stream(request);
    const types: string[] = [];
    for await (const event of stream) types.push(event.type);
    const { output } = await stream.finalResponse();
    const [streamed] = output;
    if (streamed?.type !== 'function_call') throw new Error('no call');
    expect(Object.keys(JSON.parse(streamed.arguments) as object)).toEqual(['city']);
    expect(types).toContain('response.function_call_arguments.delta');
    expect(types.at(-1)).toBe('response.completed');

    await api.client.responses.create({
      model: 'x',
      previous_response_id: whole.id,
      input: [{ type: 'function_call_output', call_id: streamed.call_id, output: 'In the east.' }],
    });
    expect(api.engine.prompts.at(-1)?.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
    expect(api.engine.prompts.at(-1)?.at(-1)?.content).toBe('In the east.');
  });

  it('leaves out what no longer fits only when asked to, and says so', async () => {
    const input = [
      { role: 'system', content: 'Be brief.' },
      ...['x', 'y', 'z'].flatMap((text) => [
        { role: 'user', content: text.repeat(300) },
        { role: 'assistant', content: 'Yes.' },
      ]),
      { role: 'user', content: 'And now?' },
    ];
    const refused = await api.post('/v1/responses', { input: [...input, { role: 'user', content: 'w'.repeat(300) }] });
    expect(await refused.json()).toMatchObject({ error: { code: 'context_length_exceeded' } });
    const rolled = await api.post('/v1/responses', {
      input: [...input, { role: 'user', content: 'w'.repeat(300) }],
      truncation: 'auto',
    });
    expect(rolled.status).toBe(200);
    expect(rolled.headers.get('x-dropped-messages')).toBe('4');
    const kept = api.engine.prompts.at(-1)?.map(({ content }) => content[0]);
    expect(kept).toEqual(['B', 'z', 'Y', 'A', 'w']);
  });
});

describe('what a previous_response_id may name', () => {
  const said = (content: string) => [{ role: 'user' as const, content }];

  it('is a thousand conversations, the oldest forgotten first', () => {
    const store = new ResponseStore();
    for (let n = 0; n < 1001; n += 1) store.set(`r${n}`, said(String(n)));
    expect(() => store.get('r0')).toThrow('send the conversation again');
    expect(store.get('r1')).toEqual(said('1'));
  });

  it('and fewer long ones, so that they never fill the memory', () => {
    const store = new ResponseStore();
    for (let n = 0; n < 10; n += 1) store.set(`r${n}`, said('x'.repeat(8_000_000)));
    expect(() => store.get('r1')).toThrow();
    expect(store.get('r2')[0]?.content).toHaveLength(8_000_000);
  });
});
