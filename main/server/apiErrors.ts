/** Errors in OpenAI's form. Their SDKs retry 408, 409, 429 and 5xx, unless told not to: so what a retry cannot mend says so. */
import { AppError } from '../contract/errors.ts';

export type ApiErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'not_found_error'
  | 'rate_limit_error'
  | 'server_error';

interface ApiErrorOptions {
  readonly param?: string | null;
  readonly code?: string | null;
  /** Seconds, for Retry-After. */
  readonly retryAfter?: number;
  /** false adds x-should-retry: false. */
  readonly retry?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

export class ApiError extends Error {
  readonly status: number;
  readonly type: ApiErrorType;
  readonly param: string | null;
  readonly code: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, type: ApiErrorType, message: string, options: ApiErrorOptions = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.type = type;
    this.param = options.param ?? null;
    this.code = options.code ?? null;
    this.headers = {
      ...options.headers,
      ...(options.retryAfter === undefined ? {} : { 'retry-after': String(options.retryAfter) }),
      ...(options.retry === false ? { 'x-should-retry': 'false' } : {}),
    };
  }

  get body(): { readonly error: Readonly<Record<'message' | 'type' | 'param' | 'code', string | null>> } {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.code } };
  }
}

export const badRequest = (message: string, param: string | null = null, code: string | null = null): ApiError =>
  new ApiError(400, 'invalid_request_error', message, { param, code });

/** What the rest of the app throws, as a client should see it. Unknown errors keep their text to themselves. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (!(error instanceof AppError))
    return new ApiError(500, 'server_error', 'Internal error. The log has the details.', { retry: false });
  switch (error.code) {
    case 'CONTEXT_FULL':
      return badRequest(error.message, 'messages', 'context_length_exceeded');
    case 'BAD_ARGUMENT':
    case 'BAD_REQUEST':
    case 'UNSUPPORTED':
      return badRequest(error.message);
    case 'BUSY':
      return new ApiError(429, 'rate_limit_error', error.message, { code: 'queue_full', retryAfter: 1 });
    case 'MODEL_LOADING':
      return new ApiError(503, 'server_error', error.message, { code: 'model_loading', retryAfter: 2 });
    case 'NO_MODEL':
      return new ApiError(503, 'server_error', error.message, { code: 'no_model', retry: false });
    default:
      return new ApiError(500, 'server_error', error.message, {
        code: error.code.toLowerCase(),
        ...(error.retryable ? { retryAfter: 1 } : { retry: false }),
      });
  }
}
