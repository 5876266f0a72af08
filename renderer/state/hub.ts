/** The way to the hub: the token's whereabouts, the test of the connection, and every request made. */
import { create } from 'zustand';

import type { HubTest, NetworkRequest, TokenSource } from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import { request } from '../bridge.ts';
import { errorInfo } from './errors.ts';

export interface HubState {
  /** null until main has answered. */
  readonly tokenSource: TokenSource | null;
  readonly testing: boolean;
  readonly test: HubTest | null;
  readonly requests: readonly NetworkRequest[] | null;
  readonly error: ErrorInfo | null;
}

export const useHub = create<HubState>()(() => ({
  tokenSource: null,
  testing: false,
  test: null,
  requests: null,
  error: null,
}));

const fail = (thrown: unknown): void => useHub.setState({ error: errorInfo(thrown) });

export async function loadTokenSource(): Promise<void> {
  await request('hub.token', {}).then(({ source }) => useHub.setState({ tokenSource: source }), fail);
}

/** null forgets the token. It goes to main and is kept nowhere here. */
export async function setToken(token: string | null): Promise<void> {
  useHub.setState({ error: null, test: null });
  await request('hub.setToken', { token }).catch(fail);
  await loadTokenSource();
}

export async function testHub(): Promise<void> {
  useHub.setState({ testing: true, test: null, error: null });
  await request('hub.test', {})
    .then((test) => useHub.setState({ test }))
    .catch(fail)
    .finally(() => useHub.setState({ testing: false }));
}

/** What was tested is no longer what is set. */
export const forgetTest = (): void => useHub.setState({ test: null });

export async function loadRequests(): Promise<void> {
  await request('hub.requests', {}).then((requests) => useHub.setState({ requests, error: null }), fail);
}
