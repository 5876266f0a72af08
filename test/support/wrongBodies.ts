import { maxBodyValues } from '../../main/server/requestBody.ts';

/** Request bodies with one thing wrong each, and the parameter that the refusal must name. */
const messages = [{ role: 'user', content: 'Hi' }];
const image = { type: 'image_url', image_url: { url: 'data:' } };
const tool = (rest: object) => [{ type: 'function', function: { name: 'f', ...rest } }];

const common: Readonly<Record<string, readonly unknown[]>> = {
  model: [5, {}, []],
  temperature: ['1', -0.1, 2.1, true, [], {}],
  top_p: ['1', -0.1, 1.1, false],
  top_k: [-2, 1.5, '5', {}],
  min_p: [-0.1, 1.1, '0'],
  max_tokens: [0, -1, 1.5, '5', true],
  n: [0, -1, 17, 1.5, '2'],
  seed: [1.5, '1', {}],
  stop: [5, {}, [1], ['a', null], Array(17).fill('x')],
  presence_penalty: [-2.1, 2.1, '0'],
  frequency_penalty: [-2.1, 2.1, '0'],
  repetition_penalty: [0, -1, '1', 3],
  logit_bias: [[], 'x', { a: 1 }, { 1: 101 }, { 1: -101 }, { 1: '5' }, { '-1': 1 }],
  stream: ['true', 1, {}],
  stream_options: ['x', { include_usage: 'yes' }, 1],
  ignore_eos: ['true', 0],
};

const chat: typeof common = {
  messages: [
    ...[[], {}, 'Hi', 5, [1], [null], [{}], [[]], Array(maxBodyValues).fill(0)],
    ...[[{ role: 'robot', content: 'x' }], [{ role: 'user', content: 5 }], [{ content: 'x' }]],
    ...[[{ role: 'user', content: [5] }], [{ role: 'user', content: [{}] }], [{ role: 'user', content: [image] }]],
    ...[[{ role: 'user', content: [{ type: 'text' }] }], [{ role: 'user', content: 'x'.repeat(3000) }]],
  ],
  max_completion_tokens: [0, -1, 1.5, '5'],
  logprobs: ['true', 1],
  top_logprobs: [1, 21, -1, '1'],
  prompt_format: ['chatml', 5],
  chat_template_kwargs: ['x', { format: 'x' }],
  response_format: ['json', 5, {}, { type: 'xml' }, { type: 'json_schema' }, { type: 'json_schema', json_schema: 5 }],
  tools: [
    {},
    'x',
    [{}],
    [{ type: 'function' }],
    tool({ name: 'bad name' }),
    tool({ name: '' }),
    tool({ parameters: 5 }),
  ],
  tool_choice: ['maybe', 5, {}, 'required', { type: 'function' }, { type: 'function', function: { name: 'other' } }],
};

const completions: typeof common = {
  prompt: [
    5,
    {},
    [],
    [[]],
    [1.5],
    [-1],
    ['a', 1],
    [[1], ['a']],
    [99_999_999],
    [2 ** 32 + 5],
    '',
    Array(129).fill('a'),
    Array(129).fill([1]),
  ],
  logprobs: [21, -1, '1', true],
  echo: ['true', 1],
  suffix: ['end', 5],
  best_of: [2, 0, '1'],
};

const responses: typeof common = {
  input: [
    5,
    {},
    null,
    [5],
    [{ type: 'function_call' }],
    [{ role: 'user', content: [image] }],
    [{ role: 'x', content: '' }],
  ],
  instructions: [5, []],
  max_output_tokens: [0, -1, '5'],
  previous_response_id: [5, {}],
  temperature: ['1', 3],
  prompt_format: ['x'],
};

const tables = [
  { path: '/v1/chat/completions', whole: { messages }, table: { ...common, ...chat } },
  { path: '/v1/completions', whole: { prompt: 'Hi' }, table: completions },
  { path: '/v1/responses', whole: { input: 'Hi' }, table: responses },
];

export const wrongBodies = tables.flatMap(({ path, whole, table }) =>
  Object.entries(table).flatMap(([param, values]) =>
    values.map((value) => ({ path, param, body: { ...whole, [param]: value } })),
  ),
);
