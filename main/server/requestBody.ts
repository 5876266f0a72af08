/** What a client sends as JSON: read within limits, and checked against what an endpoint takes. */
import type { IncomingMessage } from 'node:http';

import type { z } from 'zod';

import { ApiError, badRequest } from './apiErrors.ts';

export const maxBodyBytes = 16 * 1024 * 1024;
/** Objects, lists and what is in them. Few enough to be checked, each wrong one noted, while others hardly wait. */
export const maxBodyValues = 200_000;

export async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  // Also keeps out forms and text/plain, which a page may post anywhere without asking.
  if (type !== 'application/json') {
    throw new ApiError(415, 'invalid_request_error', 'Send the body as Content-Type: application/json.');
  }
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw new ApiError(415, 'invalid_request_error', `Send the body as it is, without Content-Encoding: ${encoding}.`);
  }
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBodyBytes) {
      throw new ApiError(413, 'invalid_request_error', `The body is larger than ${maxBodyBytes} bytes.`, {
        headers: { connection: 'close' },
      });
    }
    parts.push(part);
  }
  try {
    // Some Windows clients put a byte order mark in front.
    return JSON.parse(
      Buffer.concat(parts)
        .toString('utf8')
        .replace(/^\u{feff}/u, ''),
    );
  } catch {
    throw badRequest('The body is not valid JSON.');
  }
}

/** Throws 400 for a body that is no object. Explicit nulls are absent: several clients serialise every unset option so. */
export function fieldsOf(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw badRequest('The body must be a JSON object.');
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
}

/** Throws 400 with the name of the field that is too much, or of the first that is not as it should be. */
export function parseBody<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const fields = fieldsOf(body);
  let left = maxBodyValues;
  for (const [param, value] of Object.entries(fields)) {
    left -= countValues(value, left);
    if (left < 0) throw badRequest(`'${param}': the request has more than ${maxBodyValues} values.`, param);
  }
  const result = schema.safeParse(fields);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const param = issue?.path.join('.') || null;
  throw badRequest(`${param === null ? '' : `'${param}': `}${issue?.message ?? 'invalid value'}`, param);
}

/** Up to one more than `limit`, however many and however deep they are. */
function countValues(value: unknown, limit: number): number {
  const open = [value];
  let count = 0;
  for (let next = open.pop(); next !== undefined && count <= limit; next = open.pop()) {
    count += 1;
    if (typeof next !== 'object' || next === null) continue;
    const inside: readonly unknown[] = Array.isArray(next) ? next : Object.values(next);
    if (count + inside.length > limit) return limit + 1;
    for (const one of inside) open.push(one);
  }
  return count;
}
