/** What the addon throws, as the errors the services speak. */
import { AppError, errorCodes } from '../contract/errors.ts';
import type { ErrorCode } from '../contract/errors.ts';

const known: ReadonlySet<string> = new Set(errorCodes);
const retryable: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['BUSY', 'CANCELLED', 'OUT_OF_MEMORY']);

/** Engine errors keep their code and text; anything else is INTERNAL with the original as its cause. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof Error && 'code' in error && typeof error.code === 'string' && known.has(error.code)) {
    const code = error.code as ErrorCode;
    return new AppError(code, error.message, { retryable: retryable.has(code), cause: error });
  }
  return new AppError('INTERNAL', 'The engine failed unexpectedly. The log says more.', { cause: error });
}
