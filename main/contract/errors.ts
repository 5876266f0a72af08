/** Codes are stable and never parsed from text. The engine's own map mechanically: bad_model -> BAD_MODEL. */
export const errorCodes = [
  // engine (native/include/nf/engine.h, ErrorCode)
  'BAD_MODEL',
  'UNSUPPORTED',
  'BAD_ARGUMENT',
  'CONTEXT_FULL',
  'OUT_OF_MEMORY',
  'CANCELLED',
  'DEVICE_LOST',
  'CUDA_UNAVAILABLE',
  // engine service
  'ADDON_MISSING',
  'NO_MODEL',
  'MODEL_LOADING',
  'BUSY',
  'TOKENIZER_MISSING',
  // models and downloads
  'NOT_FOUND',
  'LICENCE_NOT_ACCEPTED',
  'OFFLINE',
  'HUB_UNAUTHORISED',
  'HUB_MISSING',
  'HUB_RATE_LIMITED',
  'HUB_ERROR',
  'NETWORK',
  'TIMEOUT',
  'PROXY',
  'CERTIFICATE',
  'DISK_FULL',
  'DISK',
  'CHECKSUM',
  'UNSAFE_NAME',
  // contract
  'BAD_REQUEST',
  'UNKNOWN_ROUTE',
  'FORBIDDEN',
  'CONNECTION_LOST',
  'INTERNAL',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface ErrorInfo {
  readonly code: ErrorCode;
  /** One or two plain sentences: what happened and what to do. */
  readonly message: string;
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean;
}

/** The only error that services throw on purpose. Anything else is a bug and becomes INTERNAL at the router. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: { retryable?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.retryable = options.retryable ?? false;
  }

  get info(): ErrorInfo {
    return { code: this.code, message: this.message, retryable: this.retryable };
  }
}

/** Replies and refusals cross every transport as data, because thrown errors lose all but their text on the way. */
export type Envelope<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ErrorInfo };

/** Compile-time exhaustiveness: call it in the default branch of a switch over a union. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${String(value)}`);
}
