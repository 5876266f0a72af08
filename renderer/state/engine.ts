/** The engine's state as main reports it, and the loading and unloading of models. */
import { create } from 'zustand';

import type { DeviceReport, EngineStatus, LoadedModel, LoadRequest } from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import { request } from '../bridge.ts';
import { errorInfo } from './errors.ts';

export interface EngineState {
  /** null until main has answered once. */
  readonly status: EngineStatus | null;
  readonly devices: DeviceReport | null;
  /** Why the last load or unload failed. */
  readonly error: ErrorInfo | null;
}

export const useEngine = create<EngineState>()(() => ({ status: null, devices: null, error: null }));

export const setStatus = (status: EngineStatus): void =>
  useEngine.setState((state) => ({ status, error: status.state === 'ready' ? null : state.error }));

export async function refreshEngine(): Promise<EngineStatus | null> {
  try {
    const status = await request('engine.status', {});
    setStatus(status);
    return status;
  } catch (thrown) {
    useEngine.setState({ error: errorInfo(thrown) });
    return null;
  }
}

export async function loadDevices(): Promise<void> {
  await request('devices.list', {})
    .then((devices) => useEngine.setState({ devices }))
    .catch((thrown: unknown) => useEngine.setState({ error: errorInfo(thrown) }));
}

/** The loaded model; null when it failed, and then the reason is in the state. */
export async function loadModel(load: LoadRequest): Promise<LoadedModel | null> {
  useEngine.setState({ error: null });
  try {
    return await request('engine.load', load);
  } catch (thrown) {
    const error = errorInfo(thrown);
    // Somebody else has begun it, or the user has ended it: neither is a failure.
    if (error.code !== 'MODEL_LOADING' && error.code !== 'CANCELLED') useEngine.setState({ error });
    return null;
  }
}

export async function cancelLoad(): Promise<void> {
  await request('engine.cancelLoad', {}).catch((thrown: unknown) => useEngine.setState({ error: errorInfo(thrown) }));
}

export async function unloadModel(): Promise<void> {
  await request('engine.unload', {}).catch((thrown: unknown) => useEngine.setState({ error: errorInfo(thrown) }));
}

/** null when no model can say. */
export async function countTokens(text: string): Promise<number | null> {
  if (text === '') return 0;
  return request('engine.countTokens', { text }).then(
    ({ tokens }) => tokens,
    () => null,
  );
}

export const selectModel = (state: EngineState): LoadedModel | null =>
  state.status?.state === 'ready' ? state.status.model : null;
export const selectReady = (state: EngineState): boolean => state.status?.state === 'ready';
