/** Turns what the network does into the product's errors: what happened, what to do, and whether to try again. */
import { AppError } from '../contract/errors.ts';
import type { ErrorCode } from '../contract/errors.ts';

/** A failure of one request. `retryAfterMs` is what the server asked for, null when it named nothing. */
export class TransferError extends AppError {
  readonly retryAfterMs: number | null;

  constructor(
    code: ErrorCode,
    message: string,
    options: { retryable?: boolean; cause?: unknown; retryAfterMs?: number | null } = {},
  ) {
    super(code, message, options);
    this.name = 'TransferError';
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

const offlineCodes = new Set(['ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL']);
const timeoutCodes = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
/** OpenSSL's names as Node reports them; the prefixes cover the rest of the family. */
const certificateCodes =
  /^(CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY)_|HOSTNAME_MISMATCH|ERR_SSL_)/;

/** The chain of causes, outermost first. undici hides the interesting one under "fetch failed". */
function* causes(error: unknown): Generator<{ readonly code: string; readonly message: string }> {
  for (let current = error, depth = 0; current instanceof Error && depth < 8; depth++) {
    yield { code: 'code' in current ? String(current.code) : '', message: current.message };
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
}

/** A failure before any answer, or in the middle of one. Every one of these may pass, but for certificates and proxies. */
export function errorFromThrown(error: unknown, host: string, proxied: boolean): AppError {
  if (error instanceof AppError) return error;
  const chain = [...causes(error)];
  const codes = chain.map((entry) => entry.code).filter((code) => code !== '');
  const named = codes.at(-1) ?? 'no code';
  const retry = { retryable: true, cause: error };

  if (chain.some(({ message }) => /proxy/i.test(message)) || (proxied && codes.includes('ECONNREFUSED'))) {
    const denied = chain.some(({ message }) => message.includes('407'));
    return new TransferError(
      'PROXY',
      denied
        ? `The proxy wants a user name and password before it lets ${host} through. Put them into the proxy's address in the settings.`
        : `The proxy could not be used to reach ${host} (${named}). Check the proxy's address in the settings.`,
      { retryable: !denied, cause: error },
    );
  }
  if (codes.some((code) => certificateCodes.test(code))) {
    return new TransferError(
      'CERTIFICATE',
      `The certificate of ${host} is not trusted (${named}). If a company proxy inspects traffic, add its certificate file in the settings.`,
      { cause: error },
    );
  }
  if (codes.some((code) => offlineCodes.has(code))) {
    return new TransferError('OFFLINE', `${host} cannot be found: this machine seems to be offline (${named}).`, retry);
  }
  if (codes.some((code) => timeoutCodes.has(code))) {
    return new TransferError('TIMEOUT', `${host} did not answer in time (${named}).`, retry);
  }
  return new TransferError('NETWORK', `The connection to ${host} broke (${named}).`, retry);
}

/** Milliseconds that a Retry-After header asks for: seconds or an HTTP date. null when there is none. */
export function retryAfterMs(headers: Headers, now = Date.now()): number | null {
  const value = headers.get('retry-after');
  if (value === null) return null;
  const seconds = Number(value);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - now;
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), 3_600_000) : null;
}

/** An answer that is a refusal. `what` names the thing asked for, to be read inside a sentence. */
export function errorFromStatus(status: number, headers: Headers, host: string, what: string): AppError {
  const wait = retryAfterMs(headers);
  switch (status) {
    case 401:
    case 403:
      return new TransferError(
        'HUB_UNAUTHORISED',
        status === 401
          ? `${host} wants an access token for ${what}, or does not know it. Check its name, or add a token in the settings.`
          : `${host} refuses ${what}. Its owner must grant access: accept the conditions on its page, then add your access token in the settings.`,
      );
    case 404:
    case 410:
      return new TransferError(
        'HUB_MISSING',
        `${host} has no ${what}. It may have been moved, renamed or made private.`,
      );
    case 407:
      return new TransferError('PROXY', `The proxy wants a user name and password. Put them into its address.`);
    case 408:
      return new TransferError('TIMEOUT', `${host} gave up waiting (408) for ${what}.`, {
        retryable: true,
        retryAfterMs: wait,
      });
    case 429:
      return new TransferError(
        'HUB_RATE_LIMITED',
        wait === null
          ? `${host} asks us to slow down (429).`
          : `${host} asks us to wait ${Math.ceil(wait / 1000)} seconds (429).`,
        { retryable: true, retryAfterMs: wait },
      );
    default:
      return new TransferError('HUB_ERROR', `${host} answered ${status} for ${what}.`, {
        retryable: status >= 500,
        retryAfterMs: wait,
      });
  }
}
