/** The local API as main serves it, and its key. */
import { create } from 'zustand';

import type { ApiStatus } from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import { request } from '../bridge.ts';
import { errorInfo } from './errors.ts';

export interface ApiState {
  /** null until main has answered once. */
  readonly status: ApiStatus | null;
  readonly key: string | null;
  /** Why the key could not be had or replaced. */
  readonly error: ErrorInfo | null;
}

export const useApi = create<ApiState>()(() => ({ status: null, key: null, error: null }));

export const setApiStatus = (status: ApiStatus): void => useApi.setState({ status });

export async function loadApi(): Promise<void> {
  try {
    const [status, { key }] = await Promise.all([request('api.status', {}), request('api.key', {})]);
    useApi.setState({ status, key, error: null });
  } catch (thrown) {
    useApi.setState({ error: errorInfo(thrown) });
  }
}

/** Whether there is a new key now. */
export async function rotateKey(): Promise<boolean> {
  try {
    const { key } = await request('api.rotateKey', {});
    useApi.setState({ key, error: null });
    return true;
  } catch (thrown) {
    useApi.setState({ error: errorInfo(thrown) });
    return false;
  }
}
