/** The way to the hub: the token's whereabouts, the tests of its settings, and every request made. */
import { create } from 'zustand';

import { hubParts } from '../../main/contract/domain.ts';
import type { HubPart, HubTest, NetworkRequest, TokenSource } from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import { request } from '../bridge.ts';
import { errorInfo } from './errors.ts';

export interface HubState {
  /** null until main has answered. */
  readonly tokenSource: TokenSource | null;
  /** Settings that are being tried now, and what the last try of each has found. */
  readonly testing: readonly HubPart[];
  readonly tests: Readonly<Partial<Record<HubPart, HubTest>>>;
  readonly requests: readonly NetworkRequest[] | null;
  readonly error: ErrorInfo | null;
}

export const useHub = create<HubState>()(() => ({
  tokenSource: null,
  testing: [],
  tests: {},
  requests: null,
  error: null,
}));

const fail = (thrown: unknown): void => useHub.setState({ error: errorInfo(thrown) });

export async function loadTokenSource(): Promise<void> {
  await request('hub.token', {}).then(({ source }) => useHub.setState({ tokenSource: source }), fail);
}

/** null forgets the token. It goes to main and is kept nowhere here. */
export async function setToken(token: string | null): Promise<void> {
  useHub.setState({ error: null, tests: {} });
  await request('hub.setToken', { token }).catch(fail);
  await loadTokenSource();
}

async function tryParts(parts: readonly HubPart[]): Promise<void> {
  useHub.setState({ testing: parts, error: null });
  for (const part of parts) {
    useHub.setState(({ tests }) => ({ tests: { ...tests, [part]: undefined } }));
    await request('hub.test', { part })
      .then((test) => useHub.setState(({ tests }) => ({ tests: { ...tests, [part]: test } })))
      .catch(fail);
  }
  useHub.setState({ testing: [] });
  await loadRequests();
}

export const testPart = (part: HubPart): Promise<void> => tryParts([part]);

/** Every setting, one after the other. */
export const testHub = (): Promise<void> => tryParts(hubParts);

/** What was tested is no longer what is set. */
export const forgetTests = (): void => useHub.setState({ tests: {} });

export async function loadRequests(): Promise<void> {
  await request('hub.requests', {}).then((requests) => useHub.setState({ requests, error: null }), fail);
}
