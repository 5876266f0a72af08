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

export type RequestPurpose = 'describe' | 'list' | 'card' | 'locate' | 'file' | 'test' | 'update' | 'dictionary';

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

/** The settings on the way to the hub, in the order in which they are tested. */
export const hubParts = ['proxy', 'caFile', 'endpoint', 'token'] as const;
export type HubPart = (typeof hubParts)[number];

/** What a test found to be right. */
export type HubFinding =
  /** Nothing of the kind is set, so there is nothing to be wrong. */
  | { readonly kind: 'unset' }
  | { readonly kind: 'answered' }
  /** Who the token belongs to. */
  | { readonly kind: 'account'; readonly user: string }
  /** Whether the hub is reached through the proxy, or is an exception from it. */
  | { readonly kind: 'proxied' }
  | { readonly kind: 'direct' }
  | { readonly kind: 'certificates'; readonly count: number };

/** One setting, tried with a connection of its own. Either `finding` or `problem` is null. */
export interface HubTest {
  readonly part: HubPart;
  readonly endpoint: string;
  readonly durationMs: number;
  readonly finding: HubFinding | null;
  readonly problem: ErrorInfo | null;
}
