/** Builds every service once and wires them together; every shell starts here. Knows no shell and no transport. */
import path from 'node:path';

import { ChatService } from './chat/chatService.ts';
import type { AppInfo, EngineStatus, LoadRequest, OpenRequest, Settings } from './contract/domain.ts';
import { AppError } from './contract/errors.ts';
import { writeCrashReport } from './crashReports.ts';
import { describeApp } from './diagnostics.ts';
import { addonFile } from './engine/addon.ts';
import type { EngineService } from './engine/engineApi.ts';
import { createEngineService } from './engine/engineService.ts';
import { makeWeights } from './engine/makeWeights.ts';
import { openHistorySync } from './history/history.ts';
import type { Home } from './home.ts';
import { createHandlers } from './ipc/handlers.ts';
import { createEvents, createRouter } from './ipc/router.ts';
import type { Router } from './ipc/router.ts';
import { readLicences } from './licences.ts';
import type { Log } from './log.ts';
import { BenchService } from './metrics/benchService.ts';
import { BenchmarkStore } from './metrics/benchmarkStore.ts';
import { engineBuildOf } from './metrics/environment.ts';
import { MetricsService } from './metrics/metricsService.ts';
import { MetricsStore } from './metrics/metricsStore.ts';
import { StartupClock } from './metrics/startupClock.ts';
import type { Cipher } from './models/accessToken.ts';
import { ModelsService } from './models/modelsService.ts';
import { RunRecord } from './runRecord.ts';
import type { LastRun } from './runRecord.ts';
import { ApiKey } from './server/apiKey.ts';
import { ApiService } from './server/apiService.ts';
import type { ApiServiceOptions } from './server/apiService.ts';
import { SettingsStore } from './settings.ts';
import { noUpdates } from './updates.ts';
import type { Updates, UpdatesOptions } from './updates.ts';

export interface AppOptions {
  readonly home: Home;
  readonly log: Log;
  readonly version: string;
  readonly shell: AppInfo['shell'];
  /** For this run: a key instead of the one that is kept, and who else may call. */
  readonly api?: ApiServiceOptions['access'] & { readonly key?: string | undefined };
  /** Loaded at once, instead of the model of the last time. */
  readonly startModel: string | null;
  /** For this run, instead of what the settings say of the start model. */
  readonly startOptions?: Partial<LoadRequest>;
  /** Null when the user picked none. Throws UNSUPPORTED where there is no such dialog. */
  readonly pickFolder: (title: string) => Promise<string | null>;
  /** Starts without loading the model of the last time. */
  readonly safeMode?: boolean;
  /** The system's secret store, where the shell has one. */
  readonly cipher?: Cipher;
  readonly startPage?: OpenRequest | null;
  /** How this shell is updated; absent: not at all. */
  readonly updates?: (surroundings: Pick<UpdatesOptions, 'settings' | 'publish' | 'log' | 'note'>) => Updates;
}

export interface App {
  readonly router: Router;
  readonly engine: EngineService;
  readonly settings: SettingsStore;
  readonly api: ApiService;
  readonly log: Log;
  /** Tells when the shell became usable. */
  readonly startup: StartupClock;
  /** Settles when the start model is loaded, or at once without one; rejects when it cannot be loaded. */
  readonly modelLoaded: Promise<void>;
  /** A request that was made outside the services, for the list of requests. */
  readonly noteRequest: UpdatesOptions['note'];
  /** The system is about to end the app, and may not wait for dispose(): that is no crash. */
  noteShutdown(): void;
  /** Closes everything in reverse order: answers, engine thread, downloads, store. */
  dispose(): Promise<void>;
}

/** What to load at start: the model named on the command line, else that of the last time, as the settings say. */
function startRequest(
  { startModel, startOptions }: AppOptions,
  { modelId, device, format, contextPositions }: Settings,
  mayLoad: boolean,
): LoadRequest | null {
  const source = startModel ?? (mayLoad ? modelId : null);
  return source === null ? null : { source, device, format, contextPositions, ...startOptions };
}

/** What a crash before this start means for it. */
function judgeStart(
  { home, log, version, safeMode = false }: AppOptions,
  crashed: LastRun | null,
): { readonly notices: readonly string[]; readonly loadsModel: boolean } {
  if (crashed === null) return { notices: [], loadsModel: !safeMode };
  const whileLoading = crashed.loading !== null;
  const detail = `the run of version ${crashed.version} did not come to its end${whileLoading ? ', while a model was loading' : ''}`;
  log.warning('start.after-crash', { version: crashed.version, whileLoading });
  writeCrashReport(home.logFile, { kind: 'app', version, detail });
  const notice = whileLoading
    ? `Nemoflash ended unexpectedly while it loaded ${crashed.loading}. That model is not loaded by itself this time; choose it to try again.`
    : 'Nemoflash ended unexpectedly the last time. Your chats are safe. Settings, About has diagnostics to copy.';
  return { notices: [notice], loadsModel: !safeMode && !whileLoading };
}

/** Downloads tell how far they are several times a second. */
const longestBetweenProgressMs = 2000;

/** The same promise for every caller, from the first call on. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let begun: Promise<T> | null = null;
  return () => (begun ??= work());
}

export async function createApp(options: AppOptions): Promise<App> {
  const { home, log } = options;
  const settings = SettingsStore.openSync(home.settingsFile, home.damagedFolder);
  const history = openHistorySync(home, log);
  const run = RunRecord.openSync(path.dirname(home.logFile), options.version);
  const start = judgeStart(options, run.crashed);
  const notices = [history.notice, settings.notice, ...start.notices].filter((notice) => notice !== null);
  for (const notice of settings.problems) log.warning('settings', { notice });
  const events = createEvents((place, error) => log.error(place, error));
  settings.onChange((current) => events.publish('settings.changed', current));
  const note: UpdatesOptions['note'] = (request) => models.hub.note(request);
  const updates = options.updates?.({
    settings,
    log,
    note,
    publish: (status) => events.publish('updates.status', status),
  });

  const models = new ModelsService({
    home,
    settings,
    makeWeights,
    cipher: options.cipher ?? null,
    onChanged: (installed) => events.publish('models.changed', installed),
    onProgress: (status) => {
      metrics.timeline.observe('download', status.state === 'running', longestBetweenProgressMs);
      events.publish('models.progress', status);
    },
    onTask: (task) => events.publish('models.task', task),
    devices: async () => {
      const { devices } = await engine.devices();
      const cpuBytesPerSecond = await engine.memoryBandwidth();
      return devices.map(({ kind, memoryFreeBytes, nominalBytesPerSecond }) => {
        return { kind, memoryFreeBytes, bytesPerSecond: kind === 'cpu' ? cpuBytesPerSecond : nominalBytesPerSecond };
      });
    },
  });
  const engine = createEngineService({
    resolve: async (source) => models.resolve(source),
    cacheFolder: home.cacheFolder,
    statesFolder: home.statesFolder,
    log,
    onGenerated: (result, engineNowNs) => metrics.onGenerated(result, engineNowNs),
  });
  const metricsStore = new MetricsStore(history.database);
  const startup = new StartupClock(metricsStore, options.version);
  const build = once(async () => ({ appVersion: options.version, engineBuild: await engineBuildOf(addonFile) }));
  const metrics = new MetricsService({ engine, store: metricsStore, startup, log, build });
  const bench = new BenchService({
    engine,
    store: new BenchmarkStore(history.database),
    environment: () => metrics.environment(),
    onProgress: (progress) => events.publish('bench.progress', progress),
  });
  engine.onStatus((status) => {
    metrics.onStatus(status);
    run.noteLoading(status.state === 'loading' ? status.request.source : null);
    events.publish('engine.status', status);
    rememberModel(status);
  });
  const api = new ApiService({
    engine,
    version: options.version,
    key: await ApiKey.open(home.apiKeyFile, options.api?.key),
    access: options.api ?? {},
    presets: () => settings.current.presets,
    log,
    onChange: (status) => events.publish('api.changed', status),
  });
  const chats = new ChatService({
    engine,
    store: history.chats,
    settings,
    log,
    publish: events.publish,
    onAnswered: (answer) => metrics.onAnswered(answer),
    onRest: () => void history.backups.runIfDue(),
  });

  /** What was loaded last is loaded again at the next start; a made-up model is not worth remembering. */
  function rememberModel(status: EngineStatus): void {
    if (status.state !== 'ready' || status.model.synthetic || status.model.source === settings.current.modelId) return;
    settings.update({ modelId: status.model.source }).catch((error: unknown) => log.error('settings', error));
  }

  const info = (): AppInfo => ({
    version: options.version,
    shell: options.shell,
    platform: process.platform,
    home: home.root,
    canPickFolder: options.shell === 'electron',
    hubEndpoint: models.hubEndpoint,
    startPage: options.startPage ?? null,
    startModel: options.startModel,
    notices,
    safeMode: options.safeMode ?? false,
    loadsModel: start.loadsModel,
  });
  const diagnostics = async (): Promise<string> => {
    const devices = await engine.devices().catch(() => null);
    const { status } = engine;
    return describeApp({ info: info(), settings: settings.current, status, devices, logFile: home.logFile });
  };
  const handlers = createHandlers({
    info,
    diagnostics,
    licences: readLicences,
    pickFolder: options.pickFolder,
    settings,
    engine,
    chats,
    models,
    hub: models.hub,
    updates: updates ?? noUpdates,
    metrics,
    bench,
    api,
  });
  // In the other shell the API is served beside the page.
  if (options.shell === 'electron') {
    settings.onChange((current) => void api.follow(current.api));
    void api.follow(settings.current.api);
  }

  const request = startRequest(options, settings.current, start.loadsModel);
  const modelLoaded = request === null ? Promise.resolve() : engine.load(request).then(() => undefined);
  // The failure shows in the engine's status; whoever waits for it hears of it, too.
  modelLoaded.catch((error: unknown) => {
    if (!(error instanceof AppError)) log.error('start model', error);
  });
  void models.tidy().catch((error: unknown) => log.error('models', error));

  return {
    router: createRouter(handlers, events, (place, error) => log.error(place, error)),
    engine,
    settings,
    api,
    log,
    startup,
    modelLoaded,
    noteRequest: note,
    noteShutdown: () => run.end(),
    async dispose() {
      await api.close();
      updates?.dispose();
      bench.dispose();
      await chats.dispose();
      await engine.dispose();
      metrics.dispose();
      await models.close();
      await history.close();
      run.end();
    },
  };
}
