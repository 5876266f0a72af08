import { expect, test } from 'vitest';

import { errorFromStatus, errorFromThrown, retryAfterMs } from '../../../main/models/networkErrors.ts';
import { defaultRetry, delayMs } from '../../../main/models/retry.ts';

const coded = (code: string, message = code) => Object.assign(new Error(message), { code });
/** As fetch and undici wrap them. */
const wrapped = (cause: Error) => new TypeError('fetch failed', { cause });

test.each([
  [coded('ENOTFOUND'), false, 'OFFLINE', true],
  [coded('ENETUNREACH'), false, 'OFFLINE', true],
  [coded('ECONNREFUSED'), false, 'NETWORK', true],
  [coded('ECONNREFUSED'), true, 'PROXY', true],
  [coded('UND_ERR_CONNECT_TIMEOUT'), false, 'TIMEOUT', true],
  [coded('UND_ERR_SOCKET', 'other side closed'), false, 'NETWORK', true],
  [coded('SELF_SIGNED_CERT_IN_CHAIN'), false, 'CERTIFICATE', false],
  [coded('CERT_HAS_EXPIRED'), false, 'CERTIFICATE', false],
  [coded('UND_ERR_ABORTED', 'Proxy response (407) !== 200 when HTTP Tunneling'), true, 'PROXY', false],
] as const)('%s (proxy: %s) is %s', (cause, proxied, code, retryable) => {
  expect(errorFromThrown(wrapped(cause), 'hub.invalid', proxied)).toMatchObject({ code, retryable });
});

test.each([
  [401, 'HUB_UNAUTHORISED', false],
  [403, 'HUB_UNAUTHORISED', false],
  [404, 'HUB_MISSING', false],
  [407, 'PROXY', false],
  [408, 'TIMEOUT', true],
  [429, 'HUB_RATE_LIMITED', true],
  [418, 'HUB_ERROR', false],
  [503, 'HUB_ERROR', true],
] as const)('an answer of %i is %s', (status, code, retryable) => {
  const error = errorFromStatus(status, new Headers(), 'hub.invalid', 'the file x');
  expect(error).toMatchObject({ code, retryable });
  expect(error.message).toMatch(/hub\.invalid|proxy/);
});

test('the wait that a server asks for comes before our own, in seconds or as a date', () => {
  const now = Date.UTC(2030, 0, 1);
  expect(retryAfterMs(new Headers({ 'retry-after': '7' }))).toBe(7000);
  expect(retryAfterMs(new Headers({ 'retry-after': new Date(now + 9000).toUTCString() }), now)).toBe(9000);
  expect(retryAfterMs(new Headers({ 'retry-after': 'soon' }))).toBeNull();
  const limited = errorFromStatus(429, new Headers({ 'retry-after': '7' }), 'h', 'x');
  expect(delayMs(limited, 1, defaultRetry)).toBe(7000);
});

test('without one the wait doubles up to its limit, half of it by chance', () => {
  const waits = (random: number) =>
    [1, 2, 3, 20].map((n) => delayMs(null, n, { ...defaultRetry, random: () => random }));
  expect(waits(1)).toEqual([500, 1000, 2000, 30_000]);
  expect(waits(0)).toEqual([250, 500, 1000, 15_000]);
});
