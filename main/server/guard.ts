/** Who may speak to the API: Host against DNS rebinding, Origin against web pages, a key against everybody else. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import { ApiError, badRequest } from './apiErrors.ts';

export interface GuardOptions {
  readonly apiKey: string;
  /** Exact origins of web pages that may call; none by default. */
  readonly allowedOrigins: readonly string[];
  /** Host names besides loopback that may be called by name. The check stays on when exposed. */
  readonly allowedHosts: readonly string[];
}

const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

/** 'EXAMPLE:80' -> 'example'; null for what is no host. */
function hostName(header: string | undefined): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/i.exec(header ?? '');
  return match?.[1]?.toLowerCase() ?? null;
}

/** Throws 403 unless the request names a host that is this machine's, and comes from no unknown page. */
export function checkSource(request: IncomingMessage, options: GuardOptions): void {
  if (request.headers.host === undefined) throw badRequest('A Host header is needed.');
  const host = hostName(request.headers.host);
  if (host === null || !(loopbackHosts.has(host) || options.allowedHosts.includes(host))) {
    throw new ApiError(403, 'permission_error', 'This host name is not served here. Use 127.0.0.1 or localhost.', {
      code: 'host_not_allowed',
    });
  }
  const { origin } = request.headers;
  if (origin !== undefined && !options.allowedOrigins.includes(origin)) {
    throw new ApiError(403, 'permission_error', 'Web pages of this origin may not call this server.', {
      code: 'origin_not_allowed',
    });
  }
}

/** Headers a browser needs on every answer, errors included; empty without an allowed Origin. */
export function corsHeaders(request: IncomingMessage, options: GuardOptions): Record<string, string> {
  const { origin } = request.headers;
  if (origin === undefined || !options.allowedOrigins.includes(origin)) return {};
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'x-request-id, retry-after, x-dropped-messages',
    vary: 'Origin',
  };
}

export function preflightHeaders(request: IncomingMessage): Record<string, string> {
  const wanted = request.headers['access-control-request-headers'];
  return {
    'access-control-allow-methods': 'GET, POST, OPTIONS',
    ...(wanted === undefined ? {} : { 'access-control-allow-headers': wanted }),
    ...(request.headers['access-control-request-private-network'] === 'true'
      ? { 'access-control-allow-private-network': 'true' }
      : {}),
    'access-control-max-age': '600',
  };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Throws 401 without the key, given as `Authorization: Bearer` or `x-api-key`. Compares in constant time. */
export function checkKey(request: IncomingMessage, options: GuardOptions): void {
  const bearer = /^Bearer\s+(.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const other = request.headers['x-api-key'];
  const given = bearer ?? (typeof other === 'string' ? other : undefined);
  if (given === undefined || !timingSafeEqual(digest(given.trim()), digest(options.apiKey))) {
    throw new ApiError(
      401,
      'authentication_error',
      given === undefined ? 'An API key is needed: Authorization: Bearer KEY.' : 'This API key is not the right one.',
      { code: 'invalid_api_key', headers: { 'www-authenticate': 'Bearer' } },
    );
  }
}
