/**
 * A main process made of memory, put into the page before its scripts run: window.bridge for tests of the page alone.
 * Scenes are set through window.fake.
 */
import { defaultContextPolicy, defaultSampling, defaultSettings } from '../../../main/contract/domain.ts';
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
  TokenTiming,
  UpdateStatus,
} from '../../../main/contract/domain.ts';
import type { ErrorInfo } from '../../../main/contract/errors.ts';
import type { EventName, Events } from '../../../main/contract/ipcEvents.ts';
import type { MetricsOverview, SystemSample } from '../../../main/contract/metrics.ts';
import { baseModel, download, forecasts, formats, hubTest, requests } from './fakeModels.ts';
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

interface FakeRun {
  readonly generationId: string;
  readonly chatId: string;
  readonly messageId: string;
  text: string;
  stopped: boolean;
}

export interface Fake {
  /** Words the next answers consist of. */
  answer: string;
  wordsPerFrame: number;
  /** Frames wait until release() is called. */
  hold: boolean;
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

const now = 1_790_000_000_000;
let lastId = 0;
const nextId = (prefix: string): string => `${prefix}${(lastId += 1)}`;

const model: LoadedModel = {
  source: 'nvidia--Nemotron-Flash-3B-Instruct@1a2b3c4',
  name: 'Nemotron-Flash-3B-Instruct',
  device: 'cuda',
  deviceIndex: 0,
  deviceName: 'RTX 4070',
  format: 'int4',
  threads: 8,
  parameters: 2_749_998_624,
  layers: 36,
  vocab: 131072,
  metaTokens: 256,
  trainedPositions: 29_000,
  contextPositions: 8192,
  weightBytes: 1_760_000_000,
  stateBytes: 41_000_000,
  kvBytesPerPosition: 8192,
  loadNs: 1_840_000_000,
  weightsFrom: 'source',
  synthetic: false,
};

const installedModel: InstalledModel = {
  id: model.source,
  name: model.name,
  repo: 'nvidia/Nemotron-Flash-3B-Instruct',
  revision: '1a2b3c4d',
  folder: '/home/mira/.nemoflash/models/nvidia--Nemotron-Flash-3B-Instruct',
  sizeBytes: 5_520_000_000,
  origin: 'downloaded',
  installedAt: now,
  verifiedAt: now,
  licenceId: 'cc-by-nc-4.0',
};

function stats(partial: Partial<GenerationStats> = {}): GenerationStats {
  return {
    promptTokens: 4901,
    reusedTokens: 4812,
    prefillNs: 21_000_000,
    ttftNs: 42_000_000,
    queueNs: 180_000,
    outputTokens: 512,
    decodeNs: 1_638_000_000,
    itlNs: { p50: 3_100_000, p95: 3_300_000, p99: 3_600_000, max: 9_400_000 },
    finishReason: 'stop',
    seed: 1234567,
    device: 'cuda',
    format: 'int4',
    ...partial,
  };
}

function timings(total: number): TokenTiming[] {
  let stampNs = 0;
  let noise = 7;
  return Array.from({ length: total }, (_, index) => {
    noise = (noise * 16807) % 2147483647;
    stampNs += 3_000_000 + (noise % 260_000) + (index % 97 === 96 ? 4_000_000 : 0);
    return { stampNs, forwardNs: 2_800_000, sampleNs: 90_000 };
  });
}

function message(partial: Partial<Message> & { readonly id: string; readonly chatId: string }): Message {
  return {
    parentId: null,
    role: 'user',
    content: '',
    createdAt: now + (lastId += 1),
    status: 'complete',
    error: null,
    stats: null,
    ...partial,
  };
}

const listeners = new Map<string, Set<(payload: never) => void>>();
const chats = new Map<string, Chat>();
const removed = new Map<string, Chat>();
const runs: FakeRun[] = [];
let settings: Settings = { ...defaultSettings, modelId: model.source, tourSeen: true };
let status: EngineStatus = { state: 'ready', model, running: 0, queued: 0 };
let api: ApiStatus = { state: 'off', url: null, problem: null, ownedByShell: false, requests: [] };
let installed: readonly InstalledModel[] = [installedModel];
let underWay: readonly DownloadStatus[] = [];
let tokenSource: TokenSource = 'none';

const description: RepoDescription = {
  repo: 'nvidia/Nemotron-Flash-3B-Instruct',
  revision: '1a2b3c4d5e6f',
  files: [],
  totalBytes: 5_520_000_000,
  licence: {
    id: 'cc-by-nc-4.0',
    name: 'CC BY-NC 4.0',
    link: 'https://example.invalid/licence',
    text: 'Attribution, non-commercial. '.repeat(60),
  },
  gated: false,
  targetFolder: '/home/mira/.nemoflash/models',
  freeBytes: 211_000_000_000,
  forecasts: [
    {
      format: 'bf16',
      device: 'cuda',
      memoryBytes: 6_400_000_000,
      memoryFreeBytes: 12_000_000_000,
      fits: true,
      tokensPerSecond: 82,
    },
    {
      format: 'int8',
      device: 'cuda',
      memoryBytes: 3_500_000_000,
      memoryFreeBytes: 12_000_000_000,
      fits: true,
      tokensPerSecond: 124,
    },
    {
      format: 'int4',
      device: 'cuda',
      memoryBytes: 2_200_000_000,
      memoryFreeBytes: 12_000_000_000,
      fits: true,
      tokensPerSecond: 160,
    },
    {
      format: 'f32',
      device: 'cuda',
      memoryBytes: 12_600_000_000,
      memoryFreeBytes: 12_000_000_000,
      fits: false,
      tokensPerSecond: null,
    },
  ],
  recommendedFormat: 'bf16',
};

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

function summaries() {
  return [...chats.values()].map(({ id, title, createdAt, updatedAt, pinned }) => ({
    id,
    title,
    createdAt,
    updatedAt,
    pinned,
  }));
}

function put(changed: Message): void {
  const chat = chats.get(changed.chatId);
  if (chat === undefined) return;
  const messages = [...chat.messages.filter((entry) => entry.id !== changed.id), changed];
  chats.set(chat.id, { ...chat, messages, leafId: changed.id, updatedAt: chat.updatedAt + 1 });
}

function addChat(partial: Partial<Chat> & { readonly id: string }): Chat {
  const chat: Chat = {
    title: '',
    createdAt: now,
    updatedAt: now,
    pinned: false,
    systemPrompt: '',
    context: defaultContextPolicy,
    sampling: defaultSampling,
    draft: '',
    leafId: null,
    messages: [],
    ...partial,
  };
  chats.set(chat.id, chat);
  return chat;
}

function finish(run: FakeRun, reason: GenerationStats['finishReason']): void {
  const chat = chats.get(run.chatId);
  const answer = chat?.messages.find((entry) => entry.id === run.messageId);
  if (answer === undefined) return;
  const done: Message = {
    ...answer,
    content: run.text,
    status: 'complete',
    stats: stats({ finishReason: reason, outputTokens: run.text.split(' ').length }),
  };
  put(done);
  emit('chat.finished', { generationId: run.generationId, message: done });
}

function stream(run: FakeRun): void {
  const words = fake.answer.split(/(?<=\s)/);
  const all = timings(words.length);
  const total = 88;
  const ids = { generationId: run.generationId, chatId: run.chatId, messageId: run.messageId };
  emit('chat.prefill', { ...ids, doneTokens: total, totalTokens: total, reusedTokens: 4812, elapsedNs: 21_000_000 });
  let at = 0;
  const step = (): void => {
    if (run.stopped) return finish(run, 'cancelled');
    if (fake.hold) return void setTimeout(step, 10);
    if (at >= words.length) return finish(run, 'stop');
    const text = words.slice(at, at + fake.wordsPerFrame).join('');
    run.text += text;
    emit('chat.tokens', {
      ...ids,
      text,
      timings: all.slice(at, at + fake.wordsPerFrame),
      sentAt: performance.timeOrigin + performance.now(),
    });
    at += fake.wordsPerFrame;
    setTimeout(step, 16);
  };
  setTimeout(step, 16);
}

function startRun(chatId: string, parentId: string | null) {
  const answer = message({ id: nextId('a'), chatId, parentId, role: 'assistant', status: 'streaming' });
  put(answer);
  const run: FakeRun = { generationId: nextId('g'), chatId, messageId: answer.id, text: '', stopped: false };
  runs.push(run);
  setTimeout(() => stream(run), 0);
  return { generationId: run.generationId, answer };
}

type Input = Record<string, never> & Record<string, unknown>;
type Handler = (input: Input) => unknown;
const text = (value: unknown): string => String(value);

let samples = 0;

/** Of every answer with figures, newest first, and one that the API gave. */
function records() {
  const answers = [...chats.values()].flatMap((chat) => chat.messages).filter((entry) => entry.stats !== null);
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
  'devices.list': () => ({
    devices: [
      {
        kind: 'cpu',
        index: 0,
        name: 'AMD Ryzen 7 7840U',
        memoryTotalBytes: 32_000_000_000,
        memoryFreeBytes: 21_000_000_000,
        computeCapability: null,
        threads: 8,
        features: 'AVX2 AVX-512',
        nominalBytesPerSecond: null,
      },
    ],
    cudaReason: 'The NVIDIA driver (libcuda) was not found.',
  }),
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
  'chats.list': summaries,
  'chats.create': () => addChat({ id: nextId('c'), updatedAt: now + lastId, sampling: settings.sampling }),
  'chats.get': (input) => chats.get(text(input['chatId'])),
  'chats.update': ({ chatId, ...patch }) => {
    const chat = { ...chats.get(text(chatId))!, ...patch } as Chat;
    chats.set(chat.id, chat);
    emit('chats.changed', summaries());
    return chat;
  },
  'chats.remove': (input) => {
    const id = text(input['chatId']);
    removed.set(id, chats.get(id)!);
    chats.delete(id);
    return null;
  },
  'chats.restore': (input) => {
    const chat = removed.get(text(input['chatId']))!;
    chats.set(chat.id, chat);
    return chat;
  },
  'chats.search': (input) =>
    [...chats.values()].flatMap((chat) =>
      chat.messages.flatMap((entry) => {
        const at = entry.content.toLowerCase().indexOf(text(input['query']).toLowerCase());
        if (at === -1) return [];
        const start = Math.max(0, at - 30);
        const snippet = entry.content.slice(start, at + 90);
        const matchStart = at - start;
        const matchEnd = matchStart + text(input['query']).length;
        return [{ chatId: chat.id, messageId: entry.id, title: chat.title, snippet, matchStart, matchEnd }];
      }),
    ),
  'chat.send': (input) => {
    const chatId = text(input['chatId']);
    const parentId = input['parentId'] === null ? null : text(input['parentId']);
    const user = message({ id: nextId('u'), chatId, parentId, content: text(input['content']) });
    put(user);
    const chat = chats.get(chatId);
    if (chat !== undefined && chat.title === '') chats.set(chatId, { ...chat, title: user.content.slice(0, 40) });
    const started = startRun(chatId, user.id);
    emit('chats.changed', summaries());
    return { ...started, user };
  },
  'chat.regenerate': (input) => {
    const chatId = text(input['chatId']);
    const before = chats.get(chatId)?.messages.find((entry) => entry.id === input['messageId']);
    return startRun(chatId, before?.parentId ?? null);
  },
  'chat.stop': (input) => {
    const run = runs.find((entry) => entry.generationId === input['generationId']);
    if (run !== undefined) run.stopped = true;
    return null;
  },
  'chat.branch': (input) => {
    const chatId = text(input['chatId']);
    const before = chats.get(chatId)?.messages.find((entry) => entry.id === input['messageId']);
    return startRun(chatId, before?.parentId ?? null);
  },
  'chat.inspect': () => fake.details,
  'chat.timings': () => timings(512),
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
  lastRun: () => runs.at(-1) ?? null,
  addChat,
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
