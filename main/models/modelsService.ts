/** The model room's face: one method per models.* and hub.* route, and resolve() for the engine. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import type {
  DownloadStatus,
  FormatForecast,
  InstalledModel,
  ModelFormat,
  ModelUpdate,
  RepoDescription,
  VerifyReport,
} from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { StoredToken } from './accessToken.ts';
import { freeBytesAt } from './diskSpace.ts';
import { Downloads } from './downloads.ts';
import type { JobParts } from './downloads.ts';
import type { SnapshotJob } from './download.ts';
import type { TransferOptions } from './fileDownload.ts';
import { forecast, recommendFormat } from './forecast.ts';
import { Hasher } from './hasher.ts';
import { Hub } from './hub.ts';
import { HubRoutes } from './hubRoutes.ts';
import { snapshotPlaces, systemHfCache } from './layout.ts';
import { readModelConfig } from './modelConfig.ts';
import { ModelFormats } from './modelFormats.ts';
import type { ModelFormatId } from './modelFormats.ts';
import { ModelStore } from './modelStore.ts';
import { ModelCare } from './modelCare.ts';
import { defaultReserveBytes, defaultTransfer } from './modelsOptions.ts';
import type { ModelsServiceOptions } from './modelsOptions.ts';
import { ModelTasks } from './modelTasks.ts';
import { Network } from './network.ts';
import { Records, toInstalled } from './records.ts';
import { emptyLeftovers, RemovedModels } from './removedModels.ts';
import { RequestLog } from './requestLog.ts';
import { WeightCaches } from './weightCaches.ts';

export class ModelsService {
  /** The hub.* routes. */
  readonly hub: HubRoutes;
  readonly #options: ModelsServiceOptions;
  readonly #network: Network;
  readonly #hub: Hub;
  readonly #hasher: Hasher;
  readonly #store: ModelStore;
  readonly #downloads: Downloads;
  readonly #tasks: ModelTasks;
  readonly #care: ModelCare;
  readonly #formats: ModelFormats;
  readonly #removed = new RemovedModels();
  readonly #transfer: TransferOptions;
  readonly #unsubscribe: () => void;
  /** Commits that were chosen by a branch in this run: what other tools will look for. */
  readonly #references = new Map<string, string>();

  /** Touches neither disk nor network; what earlier runs left is looked for at the first question. */
  constructor(options: ModelsServiceOptions) {
    const { home, settings } = options;
    this.#options = options;
    const log = new RequestLog(path.join(home.root, 'logs', 'requests.jsonl'));
    const token = new StoredToken(path.join(home.root, 'hub-token'), options.cipher ?? null);
    this.#network = new Network({
      settings: () => settings.current.hub,
      token: () => token.get(),
      log,
    });
    this.#hub = new Hub(this.#network);
    this.hub = new HubRoutes(this.#network, log, token);
    this.#hasher = new Hasher();
    this.#store = new ModelStore(new Records(path.join(home.root, 'library'), home.damagedFolder), () => this.#roots());
    this.#transfer = { ...defaultTransfer, ...options.transfer };
    this.#downloads = new Downloads(
      () => this.#roots(),
      (parts) => this.#job(parts),
    );
    const weights = new WeightCaches(home.cacheFolder);
    const tasks = (this.#tasks = new ModelTasks((task) => options.onTask?.(task)));
    const { makeWeights } = options;
    this.#formats = new ModelFormats({ resolve: (source) => this.#store.resolve(source), weights, tasks, makeWeights });
    this.#care = new ModelCare({
      store: this.#store,
      tasks,
      hasher: this.#hasher,
      weights,
      removed: this.#removed,
      downloads: this.#downloads,
      partBytes: this.#transfer.partBytes,
      reserveBytes: this.#reserveBytes,
      onChanged: () => this.#changed(),
    });
    this.#unsubscribe = settings.onChange(({ hub }) => {
      if (hub.offline)
        void this.#downloads.pauseAll(new AppError('OFFLINE', 'The switch "never use the network" is on.'));
    });
  }

  /** Deletes what was removed in an earlier run. Call it once, when the app is at rest. */
  async tidy(): Promise<void> {
    for (const root of this.#roots()) await emptyLeftovers(root);
  }

  async list(): Promise<readonly InstalledModel[]> {
    return (await this.#store.list()).map(toInstalled);
  }

  resolve(source: string): Promise<string> {
    return this.#store.resolve(source);
  }

  async describe(input: {
    readonly repo: string;
    readonly revision?: string | undefined;
    readonly folder?: string | undefined;
  }): Promise<RepoDescription> {
    const revision = input.revision ?? 'main';
    const snapshot = await this.#hub.describe(input.repo, revision);
    if (revision !== snapshot.commit) this.#references.set(`${input.repo}@${snapshot.commit}`, revision);
    const root = this.#root(input.folder);
    const forecasts = snapshot.config === null ? [] : await this.#forecasts(snapshot.config, input.repo);
    return {
      repo: snapshot.repo,
      revision: snapshot.commit,
      files: snapshot.files.map(({ path: name, sizeBytes, sha256 }) => ({ path: name, sizeBytes, sha256 })),
      totalBytes: snapshot.files.reduce((sum, file) => sum + file.sizeBytes, 0),
      licence: snapshot.licence,
      gated: snapshot.gated,
      targetFolder: snapshotPlaces(root, snapshot.repo, snapshot.commit).snapshot,
      freeBytes: await freeBytesAt(root),
      forecasts,
      recommendedFormat: recommendFormat(forecasts),
    };
  }

  /** Begins a download, or goes on with it. A branch is pinned to the commit it stands for now. */
  async download(input: {
    readonly repo: string;
    readonly revision: string;
    readonly acceptLicence: true;
    readonly folder?: string | undefined;
  }): Promise<DownloadStatus> {
    if (input.acceptLicence !== true) {
      throw new AppError('LICENCE_NOT_ACCEPTED', `Read and accept the licence of ${input.repo} first.`);
    }
    const pinned = /^[0-9a-f]{40}$/.test(input.revision);
    const commit = pinned ? input.revision : await this.#hub.resolveRevision(input.repo, input.revision);
    const reference = pinned ? (this.#references.get(`${input.repo}@${commit}`) ?? null) : input.revision;
    const acceptedAt = Date.now();
    await this.#options.settings.acceptLicence(input.repo, commit, acceptedAt);
    const root = this.#root(input.folder);
    return (await this.#downloads.start({ repo: input.repo, commit, reference, root, acceptedAt })).status;
  }

  downloads(): Promise<readonly DownloadStatus[]> {
    return this.#downloads.list();
  }

  async pause({ repo }: { readonly repo: string }): Promise<DownloadStatus> {
    const download = await this.#downloads.get(repo);
    await download.pause();
    return download.status;
  }

  async resume({ repo }: { readonly repo: string }): Promise<DownloadStatus> {
    const download = await this.#downloads.get(repo);
    download.start();
    return download.status;
  }

  async cancel({ repo }: { readonly repo: string }): Promise<null> {
    await this.#downloads.cancel(repo);
    return null;
  }

  /** The status once a download stands still: done, paused or failed. */
  async settled(repo: string): Promise<DownloadStatus> {
    const download = await this.#downloads.get(repo);
    await download.settled;
    return download.status;
  }

  async import(input: { readonly path: string }): Promise<InstalledModel> {
    const record = await this.#store.import(path.resolve(input.path));
    await this.#changed();
    return toInstalled(record);
  }

  verify(input: { readonly modelId: string }): Promise<VerifyReport> {
    return this.#care.verify(input.modelId);
  }

  repair(input: { readonly modelId: string }): Promise<VerifyReport> {
    return this.#care.repair(input.modelId);
  }

  async move(input: { readonly modelId: string; readonly folder: string }): Promise<InstalledModel> {
    return toInstalled(await this.#care.move(input.modelId, path.resolve(input.folder)));
  }

  cancelTask({ modelId }: { readonly modelId: string }): null {
    this.#tasks.cancel(modelId);
    return null;
  }

  async remove(input: { readonly modelId: string }): Promise<{ readonly freedBytes: number }> {
    return { freedBytes: await this.#care.remove(input.modelId) };
  }

  async restore(input: { readonly modelId: string }): Promise<InstalledModel> {
    return toInstalled(await this.#care.restore(input.modelId));
  }

  async forecast({ modelId }: { readonly modelId: string }): Promise<readonly FormatForecast[]> {
    const { folder } = await this.#store.get(modelId);
    return this.#forecasts(JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8')), folder);
  }

  /** By id, repository or folder. */
  formats(input: { readonly modelId: string }): Promise<readonly ModelFormat[]> {
    return this.#formats.list(input);
  }

  makeFormat(input: ModelFormatId): Promise<ModelFormat> {
    return this.#formats.make(input);
  }

  removeFormat(input: ModelFormatId): Promise<{ readonly freedBytes: number }> {
    return this.#formats.remove(input);
  }

  async checkUpdate({ modelId }: { readonly modelId: string }): Promise<ModelUpdate> {
    const { repo, revision } = await this.#store.get(modelId);
    if (repo === null)
      throw new AppError('UNSUPPORTED', `${modelId} is a folder of yours; the hub knows nothing of it.`);
    const latestRevision = await this.#hub.resolveRevision(repo, 'main');
    return { modelId, latestRevision, available: latestRevision !== revision };
  }

  /** Where the hub is, for display. */
  get hubEndpoint(): string {
    return this.#hub.endpoint;
  }

  /** Pauses what runs and deletes what was removed. */
  async close(): Promise<void> {
    this.#unsubscribe();
    this.#tasks.cancelAll();
    await this.#downloads.pauseAll();
    await this.#removed.empty();
    await this.#hasher.close();
    await this.#network.close();
  }

  get #reserveBytes(): number {
    return this.#options.reserveBytes ?? defaultReserveBytes;
  }

  #root(folder?: string): string {
    return path.resolve(folder ?? this.#options.settings.current.modelsFolder ?? this.#options.home.modelsFolder);
  }

  #roots(): readonly string[] {
    return [...new Set([this.#options.home.modelsFolder, this.#root()])];
  }

  #job(parts: JobParts): SnapshotJob {
    const hfCache = this.#options.hfCache === undefined ? systemHfCache() : this.#options.hfCache;
    return {
      ...parts,
      otherRoots: [...this.#roots(), ...(hfCache === null ? [] : [hfCache])].filter((root) => root !== parts.root),
      hub: this.#hub,
      network: this.#network,
      hasher: this.#hasher,
      transfer: this.#transfer,
      reserveBytes: this.#reserveBytes,
      onStatus: this.#options.onProgress,
      makeRoom: () => this.#removed.empty(),
      onInstalled: async (plan, folder, files) => {
        await this.#store.addDownloaded(plan, folder, files);
        await this.#changed();
      },
    };
  }

  async #forecasts(config: unknown, where: string): Promise<readonly FormatForecast[]> {
    const devices = (await this.#options.devices?.()) ?? [];
    return forecast(
      readModelConfig(config, `config.json of ${where}`),
      devices,
      this.#options.settings.current.contextPositions,
    );
  }

  async #changed(): Promise<void> {
    this.#options.onChanged(await this.list());
  }
}
