/** Requests in the shapes that programs people use send them: each is answered, none is misread. */
import { expect, it } from 'vitest';

import { apiFixture } from '../../support/apiFixture.ts';

const api = apiFixture();

const user = { role: 'user', content: 'Hi' };
const tool = {
  type: 'function',
  function: { name: 'read_file', description: null, strict: null, parameters: { type: 'object', properties: {} } },
};

const bodies: readonly (readonly [name: string, body: object])[] = [
  [
    'Open WebUI: unknown fields of its own, usage in the stream',
    {
      ...{
        model: 'nvidia/Nemotron-Flash-3B-Instruct',
        messages: [user],
        stream: true,
        features: { web_search: false },
      },
      ...{
        stream_options: { include_usage: true },
        metadata: { chat_id: 'a' },
        session_id: 'b',
        max_completion_tokens: 9,
      },
    },
  ],
  [
    'Continue: many stop strings, a system message beside the first one',
    {
      ...{ model: 'default', stream: true, stop: ['<fim>', '\n\n', '```', '/src/', 'def ', ''], max_tokens: 7 },
      messages: [{ role: 'system', content: 'A' }, { role: 'system', content: 'B' }, user],
    },
  ],
  [
    'Cline: parts instead of text, an answer without any between',
    {
      ...{ model: '', temperature: 0, stream: true, stream_options: { include_usage: true } },
      messages: [
        { role: 'system', content: 'You are Cline.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'one ' },
            { type: 'text', text: 'two' },
          ],
        },
        { role: 'assistant', content: '' },
        { role: 'user', content: [{ type: 'text', text: '' }] },
      ],
    },
  ],
  [
    'LangChain: a turn with tools, and what they gave',
    {
      ...{
        model: 'gpt-3.5-turbo',
        n: 1,
        temperature: 0.7,
        tools: [tool],
        tool_choice: 'auto',
        parallel_tool_calls: false,
      },
      messages: [
        user,
        {
          ...{ role: 'assistant', content: null },
          tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'read_file', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'call_1', content: [{ type: 'text', text: 'text' }], name: 'read_file' },
      ],
      max_tokens: 20,
    },
  ],
  [
    'LiteLLM: every option that was not set is null',
    {
      ...{ model: 'openai/x', messages: [{ ...user, name: null, tool_calls: null, function_call: null }] },
      ...Object.fromEntries(
        [
          ...['temperature', 'top_p', 'n', 'stream', 'stream_options', 'stop', 'max_tokens', 'max_completion_tokens'],
          ...['presence_penalty', 'frequency_penalty', 'logit_bias', 'user', 'response_format', 'seed', 'tools'],
          ...['tool_choice', 'logprobs', 'top_logprobs', 'parallel_tool_calls', 'functions', 'function_call', 'preset'],
        ].map((name) => [name, null]),
      ),
    },
  ],
  [
    'trtllm-serve and vLLM: local fields, templates of other models',
    {
      ...{ model: 'x', messages: [user], top_k: -1, min_p: 0, repetition_penalty: 1, min_tokens: 0, ignore_eos: false },
      ...{ stop_token_ids: [7], add_generation_prompt: true, chat_template_kwargs: { enable_thinking: false } },
    },
  ],
];

it.each(bodies)('%s', async (_, body) => {
  const response = await api.post('/v1/chat/completions', body);
  const text = await response.text();
  expect({ status: response.status, text }).toMatchObject({ status: 200 });
  expect(text).toContain('"finish_reason"');
});

it('what two programs said before an answer arrives in order, as the roles that the model knows', async () => {
  for (const [, body] of bodies.slice(1, 4)) await api.post('/v1/chat/completions', body);
  const [twoSystems, parts, tools] = api.engine.prompts;
  expect(twoSystems?.map(({ role }) => role)).toEqual(['system', 'system', 'user']);
  expect(parts?.[1]?.content).toBe('one two');
  expect(tools?.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user']);
  expect(tools?.[2]?.content).toBe('<tool_call>{"name": "read_file", "arguments": {}}</tool_call>');
});
