/**
 * The one typed contract between the page and main. Requests are values: parsed in main, always. Replies and events
 * are types: they come from the trusted side. The renderer imports only types from here, so zod stays out of it.
 */
import { z } from 'zod';

import { contextRange, hubParts, keptFormats, maxMessageChars } from './domain.ts';
import type {
  ApiStatus,
  AppInfo,
  Chat,
  ChatSummary,
  DeviceReport,
  DownloadStatus,
  EngineStatus,
  FormatForecast,
  HubTest,
  InstalledModel,
  LoadedModel,
  Message,
  ModelFormat,
  ModelUpdate,
  NetworkRequest,
  RepoDescription,
  SearchHit,
  Settings,
  TokenDetail,
  TokenSource,
  TokenTiming,
  UpdateStatus,
  VerifyReport,
} from './domain.ts';
import type { Envelope } from './errors.ts';
import type { EventName, Events } from './ipcEvents.ts';
import {
  id,
  path,
  samplingSchema,
  contextPolicySchema,
  loadSchema,
  settingsPatchSchema,
  variantSchema,
} from './ipcSchemas.ts';
import { benchmarkPlans } from './benchmark.ts';
import { pageMarks } from './metrics.ts';
import type { Benchmark, BenchmarkPlanName, Comparison } from './benchmark.ts';
import type { AnswerRecord, MetricsOverview, Microscope, Roofline, Startup, SystemSample } from './metrics.ts';

const nothing = z.strictObject({});
const repo = z.string().regex(/^[\w.-]{1,96}\/[\w.-]{1,96}$/, 'expected OWNER/NAME');
/** Nanoseconds per frame of one answer. */
const pageTimes = z.array(z.number().min(0)).max(20_000);

/** Ties a request schema to its reply's type; the value is only the schema. */
interface Route<S extends z.ZodType, R> {
  readonly request: S;
  /** Never present at run time. */
  readonly reply?: R;
}
const route =
  <R>() =>
  <S extends z.ZodType>(request: S): Route<S, R> => ({ request });

/** 'domain.verb' -> request schema and reply type. */
export const routes = {
  'app.info': route<AppInfo>()(nothing),
  // For a report of a fault: no chat, no token. Nothing is sent.
  'app.diagnostics': route<{ readonly text: string }>()(nothing),
  // Of everything that is inside the installed app.
  'app.licences': route<{ readonly text: string }>()(nothing),
  'app.pickFolder': route<{ readonly path: string | null }>()(z.strictObject({ title: z.string().max(200) })),

  'updates.status': route<UpdateStatus>()(nothing),
  // Throws OFFLINE under "never use the network". Downloads what it finds and checks whose it is.
  'updates.check': route<UpdateStatus>()(nothing),
  // Ends the app and starts the new version.
  'updates.install': route<null>()(nothing),

  'settings.get': route<Settings>()(nothing),
  'settings.update': route<Settings>()(settingsPatchSchema),

  'devices.list': route<DeviceReport>()(nothing),

  'models.list': route<readonly InstalledModel[]>()(nothing),
  'models.describe': route<RepoDescription>()(
    z.strictObject({ repo, revision: id.optional(), folder: path.optional() }),
  ),
  'models.download': route<DownloadStatus>()(
    z.strictObject({ repo, revision: id, acceptLicence: z.literal(true), folder: path.optional() }),
  ),
  'models.downloads': route<readonly DownloadStatus[]>()(nothing),
  'models.pause': route<DownloadStatus>()(z.strictObject({ repo })),
  'models.resume': route<DownloadStatus>()(z.strictObject({ repo })),
  'models.cancel': route<null>()(z.strictObject({ repo })),
  'models.import': route<InstalledModel>()(z.strictObject({ path })),
  'models.verify': route<VerifyReport>()(z.strictObject({ modelId: id })),
  // Verifies, then fetches again what is damaged; done when the model is whole.
  'models.repair': route<VerifyReport>()(z.strictObject({ modelId: id })),
  'models.move': route<InstalledModel>()(z.strictObject({ modelId: id, folder: path })),
  'models.cancelTask': route<null>()(z.strictObject({ modelId: id })),
  // Can be undone with models.restore until the app ends or needs the space.
  'models.remove': route<{ readonly freedBytes: number }>()(z.strictObject({ modelId: id })),
  'models.restore': route<InstalledModel>()(z.strictObject({ modelId: id })),
  'models.forecast': route<readonly FormatForecast[]>()(z.strictObject({ modelId: id })),
  // The formats that can be kept ready, in falling faithfulness; made on first use or ahead of time.
  'models.formats': route<readonly ModelFormat[]>()(z.strictObject({ modelId: id })),
  // Progress comes as models.task, models.cancelTask stops it; asked again it goes on where it was.
  'models.makeFormat': route<ModelFormat>()(z.strictObject({ modelId: id, format: z.enum(keptFormats) })),
  'models.removeFormat': route<{ readonly freedBytes: number }>()(
    z.strictObject({ modelId: id, format: z.enum(keptFormats) }),
  ),
  'models.checkUpdate': route<ModelUpdate>()(z.strictObject({ modelId: id })),

  'hub.test': route<HubTest>()(z.strictObject({ part: z.enum(hubParts) })),
  'hub.requests': route<readonly NetworkRequest[]>()(nothing),
  'hub.token': route<{ readonly source: TokenSource }>()(nothing),
  // null forgets it. The token itself is never sent back.
  'hub.setToken': route<{ readonly stored: boolean }>()(
    z.strictObject({ token: z.string().min(1).max(500).nullable() }),
  ),

  'engine.status': route<EngineStatus>()(nothing),
  'engine.load': route<LoadedModel>()(loadSchema),
  'engine.cancelLoad': route<null>()(nothing),
  'engine.unload': route<null>()(nothing),
  'engine.countTokens': route<{ readonly tokens: number }>()(z.strictObject({ text: z.string().max(maxMessageChars) })),

  'api.status': route<ApiStatus>()(nothing),
  'api.key': route<{ readonly key: string }>()(nothing),
  // The old key opens nothing from then on.
  'api.rotateKey': route<{ readonly key: string }>()(nothing),

  'chats.list': route<readonly ChatSummary[]>()(nothing),
  'chats.create': route<Chat>()(nothing),
  'chats.get': route<Chat>()(z.strictObject({ chatId: id })),
  'chats.update': route<Chat>()(
    z.strictObject({
      chatId: id,
      title: z.string().max(500).optional(),
      pinned: z.boolean().optional(),
      systemPrompt: z.string().max(maxMessageChars).optional(),
      sampling: samplingSchema.optional(),
      context: contextPolicySchema.optional(),
      draft: z.string().max(maxMessageChars).optional(),
      leafId: id.optional(),
    }),
  ),
  'chats.remove': route<null>()(z.strictObject({ chatId: id })),
  'chats.restore': route<Chat>()(z.strictObject({ chatId: id })),
  'chats.search': route<readonly SearchHit[]>()(z.strictObject({ query: z.string().max(500) })),

  // An edit is a send under the edited message's parent; nothing is overwritten.
  'chat.send': route<{ readonly generationId: string; readonly user: Message; readonly answer: Message }>()(
    z.strictObject({ chatId: id, parentId: id.nullable(), content: z.string().min(1).max(maxMessageChars) }),
  ),
  // Reads what is being typed, as far as it is certain, so that the answer to it begins at once. Never stored. Ends
  // when it has been read, or when something else needs the engine; `readTokens`: of conversation and draft.
  'chat.prepare': route<{ readonly readTokens: number }>()(
    z.strictObject({
      chatId: id,
      parentId: id.nullable(),
      content: z.string().max(maxMessageChars),
      // Typing rests: the last word counts as complete, and nothing is left to read at Enter.
      whole: z.boolean().default(false),
    }),
  ),
  // A new sibling of an answer.
  'chat.regenerate': route<{ readonly generationId: string; readonly answer: Message }>()(
    z.strictObject({ chatId: id, messageId: id }),
  ),
  // More of an answer that was stopped or cut by length.
  'chat.continue': route<{ readonly generationId: string; readonly answer: Message }>()(
    z.strictObject({ chatId: id, messageId: id }),
  ),
  // A new sibling of an answer: its tokens up to this one, another in its place, and on from there.
  'chat.branch': route<{ readonly generationId: string; readonly answer: Message }>()(
    z.strictObject({ chatId: id, messageId: id, tokenIndex: z.int().min(0), token: z.int().min(0) }),
  ),
  'chat.stop': route<null>()(z.strictObject({ generationId: id })),
  // What the token inspector shows of an answer; empty when it was not asked for.
  'chat.inspect': route<readonly TokenDetail[]>()(z.strictObject({ messageId: id })),
  'chat.timings': route<readonly TokenTiming[]>()(z.strictObject({ messageId: id })),

  'metrics.overview': route<MetricsOverview>()(nothing),
  'metrics.answers': route<readonly AnswerRecord[]>()(z.strictObject({ limit: z.int().min(1).max(1000) })),
  'metrics.answer': route<AnswerRecord | null>()(z.strictObject({ messageId: id })),
  // What the page saw of an answer that has ended.
  'metrics.page': route<null>()(z.strictObject({ messageId: id, ipcNs: pageTimes, paintNs: pageTimes })),
  'metrics.sample': route<SystemSample>()(nothing),
  'metrics.roofline': route<Roofline>()(z.strictObject({ contextPositions: z.int().min(0).max(contextRange.max) })),
  // Ends when the answer under the microscope has ended.
  'metrics.microscope': route<Microscope>()(z.strictObject({ tokens: z.int().min(4).max(256) })),
  'metrics.startups': route<readonly Startup[]>()(z.strictObject({ limit: z.int().min(1).max(100) })),
  // Milliseconds of the page's clock, which began `agoMs` ago.
  'metrics.startupMarks': route<null>()(
    z.strictObject({ marks: z.partialRecord(z.enum(pageMarks), z.number().min(0)), agoMs: z.number().min(0) }),
  ),

  // Both end when the work has ended; bench.progress tells how far it is.
  'bench.run': route<Benchmark>()(
    z.strictObject({ plan: z.enum(Object.keys(benchmarkPlans) as [BenchmarkPlanName, ...BenchmarkPlanName[]]) }),
  ),
  'bench.compare': route<Comparison>()(
    z.strictObject({
      first: variantSchema,
      second: variantSchema,
      rounds: z.int().min(2).max(30),
      tokens: z.int().min(8).max(4096),
    }),
  ),
  'bench.cancel': route<null>()(nothing),
  'bench.list': route<readonly Benchmark[]>()(nothing),
  'bench.remove': route<null>()(z.strictObject({ id: z.int().min(1) })),
} as const;

export type Routes = typeof routes;
export type RouteName = keyof Routes;
export type Request<N extends RouteName> = z.input<Routes[N]['request']>;
export type ParsedRequest<N extends RouteName> = z.output<Routes[N]['request']>;
export type Reply<N extends RouteName> =
  NonNullable<Routes[N]['reply']> | (null extends Routes[N]['reply'] ? null : never);

/** The browser's File, in programs that know no DOM. */
export type DroppedFile = typeof globalThis extends { readonly File: new (...args: never[]) => infer F } ? F : never;

/** What the page sees of main: the whole of it. */
export interface Bridge {
  request<N extends RouteName>(route: N, input: Request<N>): Promise<Envelope<Reply<N>>>;
  on<E extends EventName>(event: E, listener: (payload: Events[E]) => void): () => void;
  /** Where a file lies that the user dropped on the page; empty for one that is on no disk. Absent in a browser. */
  pathOf?(file: DroppedFile): string;
}
