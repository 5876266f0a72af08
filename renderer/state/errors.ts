/** Whatever was thrown, as data that a view can show. */
import { AppError } from '../../main/contract/errors.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';

export function errorInfo(thrown: unknown): ErrorInfo {
  if (thrown instanceof AppError) return thrown.info;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: 'INTERNAL', message: `The page met an unexpected case: ${message}`, retryable: false };
}
