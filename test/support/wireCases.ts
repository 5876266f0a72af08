/** What broken, greedy, slow and hasty clients send, byte by byte, and the statuses that must come back. */
import { maxBodyBytes } from '../../main/server/requestBody.ts';
import { wrongBodies } from './wrongBodies.ts';

export const key = 'nf-wire-key';

export interface Sent {
  /** Pieces, written one after another with a moment between. */
  readonly pieces: readonly (string | Buffer)[];
  /** What the client does then: wait, half-close, reset. */
  readonly then?: 'wait' | 'end' | 'reset';
}

const base = `Host: 127.0.0.1\r\nAuthorization: Bearer ${key}\r\n`;
const post = (path: string, body: string, headers = 'Connection: close\r\n') =>
  `POST ${path} HTTP/1.1\r\n${base}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
const get = (path: string, headers = 'Connection: close\r\n') => `GET ${path} HTTP/1.1\r\n${base}${headers}\r\n`;
const question = JSON.stringify({ messages: [{ role: 'user', content: 'Where?' }] });
export const chat = post('/v1/chat/completions', question);
const deep = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

/** What is sent, and the statuses that come back: several for pipelined requests, none when nothing is answered. */
export type Case = readonly [name: string, sent: Sent, expected: readonly (readonly number[])[]];

const one = (name: string, bytes: string | Buffer, ...expected: number[]): Case => [
  name,
  { pieces: [bytes] },
  [expected],
];

const malformed: readonly Case[] = [
  ...['\r\n\r\n\r\nx\r\n\r\n', 'x', '\0\x01\x02\x03', 'GET\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n'].map((bytes) =>
    one(`bytes ${JSON.stringify(bytes)}`, bytes, 400, 408, 505),
  ),
  ...[
    'HTTP/1.1 200 OK\r\n\r\n',
    '{"messages":[]}\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\x16\x03\x01\x02\0\x01\0',
  ].map((bytes) => one(`another protocol ${JSON.stringify(bytes)}`, bytes, 400, 408)),
  one('no Host', `GET /health HTTP/1.1\r\nConnection: close\r\n\r\n`, 400),
  one('an expectation', get('/health', 'Expect: tea\r\nConnection: close\r\n'), 417),
  one('two Hosts', get('/health', 'Host: evil.example\r\nConnection: close\r\n'), 400, 200),
  ...['evil.example', '', '127.0.0.1.evil.example', 'a b', '[::1', '127.0.0.1:99999999', '0x7f000001', '%31'].map(
    (host) => one(`Host ${host}`, `GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, 400, 403),
  ),
  ...['Content-Length: x', 'Content-Length: -1', 'Content-Length: 1e3', 'Content-Length: 5\r\nContent-Length: 6'].map(
    (header) => one(header, `POST /v1/completions HTTP/1.1\r\n${base}${header}\r\n\r\n{}`, 400),
  ),
  one(
    'two ways to say the length',
    `POST /v1/completions HTTP/1.1\r\n${base}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ),
  ...['zz\r\n', '-1\r\n', 'ffffffffffffffffff\r\n', '5\r\nabc\r\n\r\n'].map((chunk) =>
    one(
      `chunk ${JSON.stringify(chunk)}`,
      `POST /v1/completions HTTP/1.1\r\n${base}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`,
      400,
      408,
    ),
  ),
  ...['No colon here', 'Bad Name: x', ': empty', 'X: a\0b', ' folded: x'].map((header) =>
    one(`header ${JSON.stringify(header)}`, `GET /health HTTP/1.1\r\n${header}\r\n${base}\r\n`, 400),
  ),
  ...['PUT', 'DELETE', 'PATCH', 'TRACE', 'PURGE'].map((method) =>
    one(`method ${method}`, `${method} /v1/models HTTP/1.1\r\n${base}Connection: close\r\n\r\n`, 405, 404),
  ),
  one('method HEAD', `HEAD /health HTTP/1.1\r\n${base}Connection: close\r\n\r\n`, 200),
  one('method that is none', `BREW /v1/models HTTP/1.1\r\n${base}\r\n`, 400),
  ...[
    '/v1/nothing',
    '/v1/../etc/passwd',
    '/%2e%2e/',
    '/v1/models/%',
    '/v1/models/%ff%fe',
    '/v1//',
    '*',
    '//',
    '/\\..',
  ].map((path) => one(`path ${path}`, get(path), 404, 400)),
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty'].map((path) =>
    one(`path /${path}`, get(`/${path}`), 404),
  ),
  ...[
    '',
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
  ].map((type) =>
    one(
      `type ${type}`,
      `POST /v1/completions HTTP/1.1\r\n${base}Content-Type: ${type}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
      415,
    ),
  ),
  ...['Bearer', 'Bearer  ', 'Basic bmY6', `bearer ${key}x`, `${key}`, 'Bearer \xff'].map((authorization) =>
    one(
      `key ${authorization}`,
      Buffer.from(
        `GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`,
        'latin1',
      ),
      401,
    ),
  ),
  ...[
    '{',
    '[]',
    '"x"',
    '1',
    'null',
    '{"messages":}',
    "{'a':1}",
    '{"a":NaN}',
    '',
    ' ',
    '{"a":1}{"b":2}',
    '\u{feff}{}',
  ].map((body) => one(`body ${JSON.stringify(body)}`, post('/v1/chat/completions', body), 400)),
  one(
    'bytes that are no UTF-8',
    Buffer.concat([
      Buffer.from(post('/v1/completions', '{"prompt":5   }').slice(0, -5)),
      Buffer.from([0xff, 0xfe, 0x22, 0x7d, 0x20]),
    ]),
    400,
  ),
  one('a body nested too deep', post('/v1/chat/completions', `{"messages":${deep(50_000)}}`), 400),
  one('an unknown field nested deep', post('/v1/completions', `{"prompt":"a","x":${deep(50_000)}}`), 200),
  one('a key that is a trap', post('/v1/chat/completions', question.replace('{', '{"__proto__":{"n":5},')), 200),
];

const oversized: readonly Case[] = [
  one('a header of 64 KiB', get('/health', `X: ${'y'.repeat(65_536)}\r\n`), 431),
  one('a path of 64 KiB', get(`/${'y'.repeat(65_536)}`), 431),
  one('2000 headers', get('/health', Array.from({ length: 2000 }, (_, n) => `X${n}: y\r\n`).join('')), 200, 431),
  one(
    'a length beyond the limit, announced',
    `POST /v1/completions HTTP/1.1\r\n${base}Content-Type: application/json\r\nContent-Length: ${maxBodyBytes * 64}\r\n\r\n{`,
    413,
    408,
  ),
  [
    'a body beyond the limit, in chunks',
    {
      pieces: [
        `POST /v1/completions HTTP/1.1\r\n${base}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
        ...Array.from({ length: 17 }, () =>
          Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(0x100000, 32), Buffer.from('\r\n')]),
        ),
      ],
    },
    [[413]],
  ],
  one(
    'a million stop strings',
    post('/v1/completions', JSON.stringify({ prompt: 'a', stop: Array(1e5).fill('x') })),
    400,
  ),
];

const slow: readonly Case[] = [
  ['nothing at all', { pieces: [] }, [[408]]],
  ['half a request line', { pieces: ['GET /hea'] }, [[408]]],
  ['headers without an end', { pieces: [`GET /health HTTP/1.1\r\n${base}`] }, [[408]]],
  ['headers, letter by letter', { pieces: [...`GET /health HTTP/1.1\r\n${base}X: ${'slow'.repeat(40)}`] }, [[408]]],
  ['a body that does not come', { pieces: [chat.slice(0, -5)] }, [[408]]],
  [
    'a body, letter by letter',
    { pieces: [post('/v1/completions', '').replace('Length: 0', 'Length: 900'), ...'{"prompt":'.repeat(30)] },
    [[408]],
  ],
  ['a whole request in many pieces', { pieces: chat.match(/[^]{1,40}/g) ?? [] }, [[200]]],
];

const alive = get('/health', '');
const pipelined: readonly Case[] = [
  ['two', { pieces: [alive + get('/version')] }, [[200], [200]]],
  ['twenty', { pieces: [alive.repeat(20) + get('/health')] }, Array.from({ length: 21 }, () => [200])],
  [
    'answers and refusals in order',
    { pieces: [post('/v1/completions', '{', '') + alive + chat] },
    [[400], [200], [200]],
  ],
  ['garbage behind a request', { pieces: [`${alive}garbage\r\n\r\n`] }, [[200], [400]]],
  ['a request behind Connection: close', { pieces: [get('/health') + alive] }, [[200], [400]]],
  [
    'a body longer than it says',
    { pieces: [post('/v1/completions', '{"prompt":"a"}', '').replace('Length: 14', 'Length: 13')] },
    [[400], [400]],
  ],
];

const halfClosed: readonly Case[] = [
  ['behind a whole request', { pieces: [chat], then: 'end' }, [[200]]],
  ['at once', { pieces: [], then: 'end' }, []],
  ['inside the headers', { pieces: ['GET /health HT'], then: 'end' }, [[400]]],
  ['inside the body', { pieces: [chat.slice(0, -5)], then: 'end' }, [[400]]],
  ['reset inside the body', { pieces: [chat.slice(0, -5)], then: 'reset' }, []],
  ['reset behind a request', { pieces: [chat], then: 'reset' }, []],
  [
    'reset behind a stream',
    { pieces: [post('/v1/chat/completions', question.replace('{', '{"stream":true,'))], then: 'reset' },
    [],
  ],
];

const fields: readonly Case[] = wrongBodies.map(({ path, body, param }) =>
  one(`${path} ${param}: ${JSON.stringify(body).slice(0, 80)}`, post(path, JSON.stringify(body)), 400),
);

export const wireCases: readonly (readonly [string, readonly Case[]])[] = [
  ['malformed', malformed],
  ['oversized', oversized],
  ['slow', slow],
  ['pipelined', pipelined],
  ['half-closed', halfClosed],
  ['wrong fields', fields],
];
