/** Installed models, downloads, and what the hub says of a repository. */
import { create } from 'zustand';

import type { DownloadStatus, InstalledModel, RepoDescription } from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import { request } from '../bridge.ts';
import { errorInfo } from './errors.ts';

export interface ModelsState {
  readonly installed: readonly InstalledModel[];
  readonly loaded: boolean;
  readonly downloads: Readonly<Record<string, DownloadStatus>>;
  readonly descriptions: Readonly<Record<string, RepoDescription>>;
  readonly describing: string | null;
  readonly error: ErrorInfo | null;
}

export const useModels = create<ModelsState>()(() => ({
  installed: [],
  loaded: false,
  downloads: {},
  descriptions: {},
  describing: null,
  error: null,
}));

const fail = (thrown: unknown): void => useModels.setState({ error: errorInfo(thrown) });

export const setInstalled = (installed: readonly InstalledModel[]): void =>
  useModels.setState({ installed, loaded: true });

export const setDownload = (download: DownloadStatus): void =>
  useModels.setState((state) => ({ downloads: { ...state.downloads, [download.repo]: download } }));

export async function loadModels(): Promise<readonly InstalledModel[]> {
  try {
    const [installed, downloads] = await Promise.all([request('models.list', {}), request('models.downloads', {})]);
    setInstalled(installed);
    for (const download of downloads) setDownload(download);
    return installed;
  } catch (thrown) {
    fail(thrown);
    return [];
  }
}

export async function describe(repo: string, folder?: string): Promise<void> {
  useModels.setState({ describing: repo, error: null });
  try {
    const description = await request('models.describe', folder === undefined ? { repo } : { repo, folder });
    useModels.setState((state) => ({ descriptions: { ...state.descriptions, [repo]: description } }));
  } catch (thrown) {
    fail(thrown);
  } finally {
    useModels.setState((state) => ({ describing: state.describing === repo ? null : state.describing }));
  }
}

/** Only ever called from the button that says that the licence is accepted. */
export async function download(description: RepoDescription): Promise<void> {
  useModels.setState({ error: null });
  try {
    const { repo, revision } = description;
    // Into the folder of the settings, which is the one that the description spoke of.
    setDownload(await request('models.download', { repo, revision, acceptLicence: true }));
  } catch (thrown) {
    fail(thrown);
  }
}

export async function pauseDownload(repo: string): Promise<void> {
  await request('models.pause', { repo }).then(setDownload, fail);
}

export async function resumeDownload(repo: string): Promise<void> {
  await request('models.resume', { repo }).then(setDownload, fail);
}

export async function cancelDownload(repo: string): Promise<void> {
  try {
    await request('models.cancel', { repo });
    useModels.setState((state) => {
      const downloads = { ...state.downloads };
      delete downloads[repo];
      return { downloads };
    });
  } catch (thrown) {
    fail(thrown);
  }
}

export async function importModel(path: string): Promise<InstalledModel | null> {
  useModels.setState({ error: null });
  try {
    return await request('models.import', { path });
  } catch (thrown) {
    fail(thrown);
    return null;
  }
}

/** null: nothing was chosen. */
export async function pickFolder(title: string): Promise<string | null> {
  try {
    return (await request('app.pickFolder', { title })).path;
  } catch (thrown) {
    fail(thrown);
    return null;
  }
}

const unfinished = new Set<DownloadStatus['state']>(['waiting', 'running', 'paused', 'verifying', 'failed']);

/** The download to show where there is room for one; null when none is under way. */
export function selectDownload(state: ModelsState): DownloadStatus | null {
  for (const status of Object.values(state.downloads)) if (unfinished.has(status.state)) return status;
  return null;
}
