/** The way to the hub, and what went over it. */
import type { ErrorInfo } from './errors.ts';

/** How the app reaches the hub. The access token is a secret and lives elsewhere. */
export interface HubSettings {
  /** The switch "never use the network": no request leaves the model room while it is on. */
  readonly offline: boolean;
  /** Address of a mirror; null: HF_ENDPOINT, else the public hub. */
  readonly endpoint: string | null;
  /** http://[user:password@]host:port; null: HTTPS_PROXY and HTTP_PROXY, else none. */
  readonly proxy: string | null;
  /** Hosts that are reached directly, separated by commas; null: NO_PROXY. */
  readonly noProxy: string | null;
  /** PEM file with certificates to trust besides the system's. */
  readonly caFile: string | null;
}

export type RequestPurpose = 'describe' | 'list' | 'card' | 'locate' | 'file' | 'test';

/** One request that left the app. Never holds a token, a path or a query. */
export interface NetworkRequest {
  readonly at: number;
  readonly host: string;
  readonly purpose: RequestPurpose;
  /** HTTP status; null when no answer came. */
  readonly status: number | null;
  readonly receivedBytes: number;
  readonly durationMs: number;
  readonly problem: string | null;
}

/** Where the hub's access token comes from: HF_TOKEN, typed in for this run, or kept in the system's secret store. */
export type TokenSource = 'none' | 'environment' | 'run' | 'stored';

export interface HubTest {
  readonly endpoint: string;
  readonly ok: boolean;
  readonly durationMs: number;
  /** Who the token belongs to; null without a token. */
  readonly user: string | null;
  readonly problem: ErrorInfo | null;
}
