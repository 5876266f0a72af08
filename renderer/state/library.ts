/** What can be done with installed models, and what is known of each: tasks, formats, forecasts, updates. */
import { create } from 'zustand';

import type {
  FormatForecast,
  InstalledModel,
  KeptFormat,
  ModelFormat,
  ModelTask,
  ModelUpdate,
  VerifyReport,
} from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import { request } from '../bridge.ts';
import { errorInfo } from './errors.ts';

export interface ModelDetails {
  readonly formats: readonly ModelFormat[];
  readonly forecasts: readonly FormatForecast[];
}

/** A task that was begun here; main tells how far it is. */
export interface RunningTask {
  readonly kind: ModelTask['kind'];
  /** Of a makeFormat. */
  readonly format: KeptFormat | null;
  readonly progress: ModelTask | null;
}

type ById<T> = Readonly<Record<string, T>>;

export interface LibraryState {
  readonly details: ById<ModelDetails>;
  readonly tasks: ById<RunningTask>;
  readonly reports: ById<VerifyReport>;
  readonly updates: ById<ModelUpdate>;
  /** What went wrong with a model last. */
  readonly errors: ById<ErrorInfo>;
  /** Can still be undone. */
  readonly removed: readonly { readonly model: InstalledModel; readonly freedBytes: number }[];
}

export const useLibrary = create<LibraryState>()(() => ({
  details: {},
  tasks: {},
  reports: {},
  updates: {},
  errors: {},
  removed: [],
}));

type Group = 'details' | 'tasks' | 'reports' | 'updates' | 'errors';

function put<G extends Group>(group: G, id: string, value: LibraryState[G][string]): void {
  useLibrary.setState((state) => ({ [group]: { ...state[group], [id]: value } }));
}

function drop(group: Group, id: string): void {
  useLibrary.setState((state) => ({
    [group]: Object.fromEntries(Object.entries(state[group]).filter(([key]) => key !== id)),
  }));
}

/** Only tasks begun here are shown: a reply is what ends one. */
export function setTask(progress: ModelTask): void {
  const task = useLibrary.getState().tasks[progress.modelId];
  if (task !== undefined) put('tasks', progress.modelId, { ...task, progress });
}

/** Runs a task of a model; its failure, but for being stopped, stays with the model. */
async function run(modelId: string, task: Omit<RunningTask, 'progress'>, work: () => Promise<void>): Promise<void> {
  if (useLibrary.getState().tasks[modelId] !== undefined) return;
  drop('errors', modelId);
  put('tasks', modelId, { ...task, progress: null });
  try {
    await work();
  } catch (thrown) {
    const error = errorInfo(thrown);
    if (error.code !== 'CANCELLED') put('errors', modelId, error);
  } finally {
    drop('tasks', modelId);
  }
}

export const verifyModel = (modelId: string): Promise<void> =>
  run(modelId, { kind: 'verify', format: null }, async () =>
    put('reports', modelId, await request('models.verify', { modelId })),
  );

export const repairModel = (modelId: string): Promise<void> =>
  run(modelId, { kind: 'repair', format: null }, async () =>
    put('reports', modelId, await request('models.repair', { modelId })),
  );

export const moveModel = (modelId: string, folder: string): Promise<void> =>
  run(modelId, { kind: 'move', format: null }, async () => {
    await request('models.move', { modelId, folder });
    drop('details', modelId);
  });

export const makeFormat = (modelId: string, format: KeptFormat): Promise<void> =>
  run(modelId, { kind: 'makeFormat', format }, async () => {
    await request('models.makeFormat', { modelId, format });
    await loadDetails(modelId);
  });

export async function removeFormat(modelId: string, format: KeptFormat): Promise<void> {
  try {
    await request('models.removeFormat', { modelId, format });
    await loadDetails(modelId);
  } catch (thrown) {
    put('errors', modelId, errorInfo(thrown));
  }
}

export async function cancelTask(modelId: string): Promise<void> {
  await request('models.cancelTask', { modelId }).catch((thrown: unknown) => put('errors', modelId, errorInfo(thrown)));
}

export async function loadDetails(modelId: string): Promise<void> {
  try {
    const [formats, forecasts] = await Promise.all([
      request('models.formats', { modelId }),
      request('models.forecast', { modelId }),
    ]);
    put('details', modelId, { formats, forecasts });
  } catch (thrown) {
    put('errors', modelId, errorInfo(thrown));
  }
}

export async function checkUpdate(modelId: string): Promise<void> {
  drop('errors', modelId);
  try {
    put('updates', modelId, await request('models.checkUpdate', { modelId }));
  } catch (thrown) {
    put('errors', modelId, errorInfo(thrown));
  }
}

export async function removeModel(model: InstalledModel): Promise<void> {
  try {
    const { freedBytes } = await request('models.remove', { modelId: model.id });
    drop('reports', model.id);
    drop('updates', model.id);
    drop('details', model.id);
    useLibrary.setState(({ removed }) => ({
      removed: [...removed.filter((entry) => entry.model.id !== model.id), { model, freedBytes }],
    }));
  } catch (thrown) {
    put('errors', model.id, errorInfo(thrown));
  }
}

const forget = (modelId: string): void =>
  useLibrary.setState(({ removed }) => ({ removed: removed.filter(({ model }) => model.id !== modelId) }));

/** Puts back what was removed; null, or why it cannot be. */
export async function restoreModel(modelId: string): Promise<ErrorInfo | null> {
  try {
    await request('models.restore', { modelId });
    forget(modelId);
    return null;
  } catch (thrown) {
    forget(modelId);
    return errorInfo(thrown);
  }
}
