/** Every route and the service that answers it. No logic: what is decided here belongs into a service. */
import type { AppInfo } from '../contract/domain.ts';
import type { ChatService } from '../chat/chatService.ts';
import type { ParsedRequest, Reply, RouteName } from '../contract/ipc.ts';
import type { EngineService } from '../engine/engineApi.ts';
import type { SettingsStore } from '../settings.ts';
import type { Handlers } from './router.ts';

/** The methods that a service needs to answer all routes of a domain: Domain<'models'> has list, describe, … */
type Domain<D extends string> = {
  readonly [N in RouteName as N extends `${D}.${infer Verb}` ? Verb : never]: (
    input: ParsedRequest<N>,
  ) => Reply<N> | Promise<Reply<N>>;
};

export interface Services {
  readonly info: () => AppInfo;
  readonly diagnostics: () => Promise<string>;
  readonly licences: () => Promise<string>;
  /** Null when the user picked none. Throws UNSUPPORTED where there is no such dialog. */
  readonly pickFolder: (title: string) => Promise<string | null>;
  readonly settings: SettingsStore;
  readonly engine: EngineService;
  readonly chats: ChatService;
  readonly models: Domain<'models'>;
  readonly hub: Domain<'hub'>;
  readonly updates: Domain<'updates'>;
  readonly metrics: Domain<'metrics'>;
  readonly bench: Domain<'bench'>;
  readonly api: Domain<'api'>;
}

export function createHandlers({
  info,
  diagnostics,
  licences,
  pickFolder,
  settings,
  engine,
  chats,
  models,
  hub,
  updates,
  metrics,
  bench,
  api,
}: Services): Handlers {
  return {
    'app.info': info,
    'app.diagnostics': async () => ({ text: await diagnostics() }),
    'app.licences': async () => ({ text: await licences() }),
    'app.pickFolder': async ({ title }) => ({ path: await pickFolder(title) }),

    'updates.status': (input) => updates.status(input),
    'updates.check': (input) => updates.check(input),
    'updates.install': (input) => updates.install(input),

    'settings.get': () => settings.current,
    'settings.update': (patch) => settings.update(patch),

    'devices.list': () => engine.devices(),

    'models.list': (input) => models.list(input),
    'models.describe': (input) => models.describe(input),
    'models.download': (input) => models.download(input),
    'models.downloads': (input) => models.downloads(input),
    'models.pause': (input) => models.pause(input),
    'models.resume': (input) => models.resume(input),
    'models.cancel': (input) => models.cancel(input),
    'models.import': (input) => models.import(input),
    'models.verify': (input) => models.verify(input),
    'models.repair': (input) => models.repair(input),
    'models.move': (input) => models.move(input),
    'models.cancelTask': (input) => models.cancelTask(input),
    'models.remove': (input) => models.remove(input),
    'models.restore': (input) => models.restore(input),
    'models.forecast': (input) => models.forecast(input),
    'models.formats': (input) => models.formats(input),
    'models.makeFormat': (input) => models.makeFormat(input),
    'models.removeFormat': (input) => models.removeFormat(input),
    'models.checkUpdate': (input) => models.checkUpdate(input),

    'hub.test': (input) => hub.test(input),
    'hub.requests': (input) => hub.requests(input),
    'hub.token': (input) => hub.token(input),
    'hub.setToken': (input) => hub.setToken(input),

    'engine.status': () => engine.status,
    'engine.load': (input) => engine.load(input),
    'engine.cancelLoad': () => {
      engine.cancelLoad();
      return null;
    },
    'engine.unload': async () => {
      await engine.unload();
      return null;
    },
    'engine.countTokens': ({ text }) => ({ tokens: engine.tokenizer().encode(text).length }),

    'api.status': (input) => api.status(input),
    'api.key': (input) => api.key(input),
    'api.rotateKey': (input) => api.rotateKey(input),

    'chats.list': () => chats.list(),
    'chats.create': () => chats.create(),
    'chats.get': (input) => chats.get(input),
    'chats.update': (input) => chats.update(input),
    'chats.remove': (input) => chats.remove(input),
    'chats.restore': (input) => chats.restore(input),
    'chats.search': (input) => chats.search(input),

    'chat.send': (input) => chats.send(input),
    'chat.prepare': (input) => chats.prepare(input),
    'chat.regenerate': (input) => chats.regenerate(input),
    'chat.continue': (input) => chats.continue(input),
    'chat.branch': (input) => chats.branch(input),
    'chat.stop': (input) => chats.stop(input),
    'chat.inspect': (input) => chats.inspect(input),
    'chat.timings': (input) => chats.timings(input),

    'metrics.overview': (input) => metrics.overview(input),
    'metrics.answers': (input) => metrics.answers(input),
    'metrics.answer': (input) => metrics.answer(input),
    'metrics.page': (input) => metrics.page(input),
    'metrics.sample': (input) => metrics.sample(input),
    'metrics.roofline': (input) => metrics.roofline(input),
    'metrics.microscope': (input) => metrics.microscope(input),
    'metrics.startups': (input) => metrics.startups(input),
    'metrics.startupMarks': (input) => metrics.startupMarks(input),

    'bench.run': (input) => bench.run(input),
    'bench.compare': (input) => bench.compare(input),
    'bench.cancel': (input) => bench.cancel(input),
    'bench.list': (input) => bench.list(input),
    'bench.remove': (input) => bench.remove(input),
  };
}
