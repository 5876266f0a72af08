/** The local API as the app shows it. */
import type { ErrorInfo } from './errors.ts';
import type { NumberRange } from './sampling.ts';

/** The local API: on loopback only. */
export interface ApiSettings {
  readonly enabled: boolean;
  readonly port: number;
}

export const apiPortRange: NumberRange = { min: 1024, max: 65535, default: 8080, step: 1 };

/** One request to the local API that generates, as the app shows it. */
export interface ApiRequest {
  readonly id: number;
  readonly path: string;
  readonly phase: 'waiting' | 'reading' | 'writing' | 'ended';
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Of HTTP, once it has ended. */
  readonly status: number | null;
}

export interface ApiStatus {
  readonly state: 'off' | 'on' | 'failed';
  /** http://HOST:PORT, without /v1; null unless on. */
  readonly url: string | null;
  readonly problem: ErrorInfo | null;
  /** Served beside the page by the program that serves the page: on as long as that runs. */
  readonly ownedByShell: boolean;
  /** Newest first: those under way, and the last that ended. */
  readonly requests: readonly ApiRequest[];
}
