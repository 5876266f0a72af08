/**
 * A main process made of memory, put into the page before its scripts run: window.bridge for tests of the page alone.
 * Scenes are set through window.fake.
 */
import { defaultSettings } from '../../../main/contract/domain.ts';
import type {
  ApiStatus,
  AppInfo,
  Chat,
  DownloadStatus,
  EngineStatus,
  GenerationStats,
  HubPart,
  InstalledModel,
  LoadedModel,
  Message,
  RepoDescription,
  Settings,
  TokenDetail,
  TokenSource,
  UpdateStatus,
} from '../../../main/contract/domain.ts';
import type { ErrorInfo } from '../../../main/contract/errors.ts';
import type { EventName, Events } from '../../../main/contract/ipcEvents.ts';
import type { MetricsOverview, SystemSample } from '../../../main/contract/metrics.ts';
import { fakeChats, message, nextId, now, stats, text, timings } from './fakeChats.ts';
import type { Answering, FakeRun, Handler, Input } from './fakeChats.ts';
import {
  baseModel,
  description,
  devices,
  download,
  forecasts,
  formats,
  hubTest,
  installedModel,
  model,
  requests,
} from './fakeModels.ts';
import {
  benchmarks,
  comparison,
  microscope,
  overview,
  recordOf,
  regression,
  roofline,
  sample,
  startups,
} from './fakeMetrics.ts';

export interface Fake extends Answering {
  readonly calls: { route: string; input: unknown }[];
  emit<E extends EventName>(event: E, payload: Events[E]): void;
  setEngine(status: EngineStatus): void;
  setApi(status: Partial<ApiStatus>): void;
  release(): void;
  lastRun(): FakeRun | null;
  addChat(chat: Partial<Chat> & { readonly id: string }): void;
  message(partial: Partial<Message> & { readonly id: string; readonly chatId: string }): Message;
  stats(partial?: Partial<GenerationStats>): GenerationStats;
  readonly model: LoadedModel;
  setInstalled(models: readonly InstalledModel[]): void;
  setSettings(patch: Partial<Settings>): void;
  fail: Record<string, ErrorInfo>;
  /** Of app.info, in place of what is there. */
  info: Partial<AppInfo>;
  updates: UpdateStatus;
  overview: MetricsOverview;
  readonly regression: MetricsOverview['regression'];
  sample: SystemSample;
  /** What the token inspector is told. */
  details: readonly TokenDetail[];
  description: RepoDescription;
  readonly baseModel: InstalledModel;
  /** The download under way, where a scene has one. */
  download: DownloadStatus;
  showDownload(partial: Partial<DownloadStatus>): void;
  /** Answers that stand in for the usual ones. */
  answers: Record<string, unknown>;
  /** Requests that are never answered: as while a long task runs. */
  readonly hang: string[];
}

const listeners = new Map<string, Set<(payload: never) => void>>();
let settings: Settings = { ...defaultSettings, modelId: model.source, tourSeen: true };
let status: EngineStatus = { state: 'ready', model, running: 0, queued: 0 };
let api: ApiStatus = { state: 'off', url: null, problem: null, ownedByShell: false, requests: [] };
let installed: readonly InstalledModel[] = [installedModel];
let underWay: readonly DownloadStatus[] = [];
let tokenSource: TokenSource = 'none';

let apiKey = 'nf-kP3rT5wXy7zA1bC3dE4fG6hJ8kL9mN2';

/** As main does: listens where the settings say, unless fake.fail has an error for that port. */
function followApi(): void {
  const { enabled, port } = settings.api;
  const problem = fake.fail[`port ${port}`] ?? null;
  const state = !enabled ? 'off' : problem === null ? 'on' : 'failed';
  fake.setApi({ state, url: state === 'on' ? `http://127.0.0.1:${port}` : null, problem: enabled ? problem : null });
}

function emit<E extends EventName>(event: E, payload: Events[E]): void {
  for (const listener of listeners.get(event) ?? []) listener(payload as never);
}

const chats = fakeChats(
  emit,
  () => fake,
  () => settings,
);

let samples = 0;

/** Of every answer with figures, newest first, and one that the API gave. */
function records() {
  const answers = chats.messages().filter((entry) => entry.stats !== null);
  const own = answers.map((entry, index) =>
    recordOf({ id: index + 2, messageId: entry.id, at: entry.createdAt }, entry.stats!, timings(512)),
  );
  return [...own.reverse(), recordOf({ id: 1, messageId: null, at: now - 86_400_000 }, stats(), timings(512))];
}

const handlers: Record<string, Handler> = {
  'app.info': () => ({
    version: '0.1.0',
    shell: 'web',
    platform: 'linux',
    home: '/home/mira/.nemoflash',
    canPickFolder: false,
    hubEndpoint: 'https://hub.invalid',
    startPage: null,
    startModel: null,
    notices: [],
    safeMode: false,
    loadsModel: true,
    ...fake.info,
  }),
  'app.pickFolder': () => ({ path: null }),
  'updates.status': () => fake.updates,
  'app.diagnostics': () => ({
    text: '# App\nNemoflash 0.1.0, web shell\n\n# Log\n' + 'a line of the log\n'.repeat(80),
  }),
  'app.licences': () => ({ text: 'react 19 (MIT)' }),
  'settings.get': () => settings,
  'settings.update': (patch) => {
    settings = { ...settings, ...patch };
    if ('api' in patch) followApi();
    return settings;
  },
  'devices.list': () => devices,
  'models.list': () => installed,
  'models.downloads': () => underWay,
  'models.describe': () => fake.description,
  'models.download': ({ repo, revision }) => ({
    repo,
    revision,
    state: 'running',
    doneBytes: 0,
    totalBytes: 5_520_000_000,
    bytesPerSecond: null,
    etaSeconds: null,
    reason: null,
    file: null,
  }),
  'models.import': () => installedModel,
  'models.verify': ({ modelId }) => ({ modelId, ok: true, files: [] }),
  'models.repair': ({ modelId }) => ({ modelId, ok: true, files: [] }),
  'models.move': () => installedModel,
  'models.cancelTask': () => null,
  'models.restore': () => {
    fake.setInstalled([installedModel, ...installed]);
    return installedModel;
  },
  'models.forecast': forecasts,
  'models.formats': formats,
  'models.makeFormat': ({ format }) => ({ format, cachedBytes: 1_000_000_000, stoppedBytes: 0 }),
  'models.removeFormat': () => ({ freedBytes: 1_000_000_000 }),
  'models.checkUpdate': ({ modelId }) => ({ modelId, latestRevision: 'c0ffee0ddba11', available: true }),
  'models.pause': ({ repo }) => ({ ...fake.download, repo, state: 'paused' }),
  'models.resume': ({ repo }) => ({ ...fake.download, repo, state: 'waiting' }),
  'models.cancel': () => null,
  'hub.test': ({ part }) => hubTest(text(part) as HubPart),
  'hub.requests': requests,
  'hub.token': () => ({ source: tokenSource }),
  'hub.setToken': ({ token }) => {
    tokenSource = token === null ? 'none' : 'stored';
    return { stored: token !== null };
  },
  'models.remove': ({ modelId }) => {
    fake.setInstalled(installed.filter((entry) => entry.id !== text(modelId)));
    return { freedBytes: installedModel.sizeBytes };
  },
  'engine.status': () => status,
  'engine.load': () => model,
  'engine.unload': () => null,
  'engine.cancelLoad': () => null,
  'engine.countTokens': (input) => ({ tokens: Math.ceil(text(input['text']).length / 4) }),
  'api.status': () => api,
  'api.key': () => ({ key: apiKey }),
  'api.rotateKey': () => ({ key: (apiKey = `nf-${nextId('fresh')}-8Qv2rT5wXy7zA1bC3dE4`) }),
  ...chats.handlers,
  'chat.inspect': () => fake.details,
  'metrics.overview': () => fake.overview,
  'metrics.answers': () => records(),
  'metrics.answer': ({ messageId }) => records().find((record) => record.messageId === messageId) ?? null,
  'metrics.page': () => null,
  'metrics.sample': () => {
    samples += 1;
    return { ...fake.sample, at: 1000 * samples, cpuNs: 340e6 * samples };
  },
  'metrics.roofline': (input) => roofline(Number(input['contextPositions'])),
  'metrics.microscope': () => microscope,
  'metrics.startups': () => startups,
  'metrics.startupMarks': () => null,
  'bench.list': () => benchmarks,
  'bench.run': () => benchmarks[0],
  'bench.compare': () => comparison,
  'bench.cancel': () => null,
  'bench.remove': () => null,
};

const fake: Fake = {
  answer: 'The sky is blue because air scatters short waves more than long ones. ',
  wordsPerFrame: 3,
  hold: false,
  calls: [],
  fail: {},
  info: {},
  updates: { state: 'unsupported' },
  overview,
  regression,
  sample,
  details: [],
  description,
  baseModel,
  download: download(),
  showDownload: (partial) => {
    fake.download = download(partial);
    underWay = [fake.download];
    emit('models.progress', fake.download);
  },
  answers: {},
  hang: [],
  model,
  emit,
  setEngine: (next) => {
    status = next;
    emit('engine.status', next);
  },
  setApi: (next) => {
    api = { ...api, ...next };
    emit('api.changed', api);
  },
  release: () => {
    fake.hold = false;
  },
  lastRun: chats.lastRun,
  addChat: chats.addChat,
  message,
  stats,
  setSettings: (patch) => {
    settings = { ...settings, ...patch };
  },
  setInstalled: (models) => {
    installed = models;
    emit('models.changed', models);
  },
};

const bridge = {
  request: (route: string, input: Input) => {
    fake.calls.push({ route, input });
    if (fake.hang.includes(route)) return new Promise(() => undefined);
    const failure = fake.fail[route];
    if (failure !== undefined) return Promise.resolve({ ok: false, error: failure });
    if (route in fake.answers) return Promise.resolve({ ok: true, value: fake.answers[route] });
    const handler = handlers[route];
    if (handler === undefined) {
      const error = { code: 'UNKNOWN_ROUTE', message: `No route ${route}.`, retryable: false };
      return Promise.resolve({ ok: false, error });
    }
    // Through JSON, as every transport does it.
    const value: unknown = JSON.parse(JSON.stringify(handler(input) ?? null));
    return Promise.resolve({ ok: true, value });
  },
  on: (event: string, listener: (payload: never) => void) => {
    const own = listeners.get(event) ?? new Set();
    listeners.set(event, own.add(listener));
    return () => own.delete(listener);
  },
};

Object.assign(globalThis, { bridge, fake });
// A scene is a function of the fake, put into the page by the test.
(globalThis as unknown as { scene?: (fake: Fake) => void }).scene?.(fake);
