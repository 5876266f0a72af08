/** The API in the app: on or off as the settings say, with its key, and what it is doing. */
import type { ApiSettings, ApiStatus, SamplingPreset } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { ErrorInfo } from '../contract/errors.ts';
import type { EngineService } from '../engine/engineApi.ts';
import { Api } from './api.ts';
import type { ApiOptions } from './api.ts';
import type { ApiKey } from './apiKey.ts';
import { ApiServer } from './apiServer.ts';
import { LiveRequests } from './liveRequests.ts';

export interface ApiServiceOptions {
  readonly engine: EngineService;
  readonly version: string;
  readonly key: ApiKey;
  /** Beyond this machine's own programs, and how to read them; by default nobody, as the model card says. */
  readonly access?: Partial<Pick<ApiOptions, 'allowedOrigins' | 'allowedHosts' | 'defaultFormat'>>;
  /** The user's own, which a request may name. */
  readonly presets: () => readonly SamplingPreset[];
  readonly log: { error(event: string, error: unknown): void };
  readonly onChange: (status: ApiStatus) => void;
}

export class ApiService {
  /** For shells that serve it themselves; they say so with servedAt(). */
  readonly api: Api;
  readonly #options: ApiServiceOptions;
  readonly #live: LiveRequests;
  #server: ApiServer | null = null;
  #wanted: ApiSettings | null = null;
  #state: ApiStatus['state'] = 'off';
  #url: string | null = null;
  #problem: ErrorInfo | null = null;
  #ownedByShell = false;
  // One change of the listening after another.
  #change: Promise<void> = Promise.resolve();

  constructor(options: ApiServiceOptions) {
    this.#options = options;
    this.#live = new LiveRequests(() => this.#publish());
    const { engine, version, key, presets, log, access } = options;
    this.api = new Api({
      ...{ engine, version, presets, allowedOrigins: [], allowedHosts: [], live: this.#live, ...access },
      get apiKey() {
        return key.current;
      },
      log: (message, error) => log.error(message, error),
    });
  }

  status(): ApiStatus {
    return {
      state: this.#state,
      url: this.#url,
      problem: this.#problem,
      ownedByShell: this.#ownedByShell,
      requests: this.#live.list,
    };
  }

  key(): { readonly key: string } {
    return { key: this.#options.key.current };
  }

  async rotateKey(): Promise<{ readonly key: string }> {
    return { key: await this.#options.key.rotate() };
  }

  /** The shell serves the API beside its own page; the settings have no say then. */
  servedAt(url: string): void {
    this.#ownedByShell = true;
    this.#set('on', url, null);
  }

  /** Listens, or ends listening, as the settings say. Settles when that is done or has failed; the status says which. */
  follow(settings: ApiSettings): Promise<void> {
    const { enabled, port } = settings;
    const isSame = this.#wanted?.enabled === enabled && this.#wanted.port === port;
    if (this.#ownedByShell || (isSame && this.#state !== 'failed')) return this.#change;
    this.#wanted = settings;
    this.#change = this.#change.then(async () => {
      await this.#end();
      if (enabled) await this.#begin(port);
      else this.#set('off', null, null);
    });
    return this.#change;
  }

  async close(): Promise<void> {
    await this.#change;
    await this.#end();
  }

  async #begin(port: number): Promise<void> {
    const server = new ApiServer(this.api);
    try {
      const url = await server.start({ host: '127.0.0.1', port });
      this.#server = server;
      this.#set('on', url, null);
    } catch (error) {
      if (!(error instanceof AppError)) this.#options.log.error('api', error);
      const info =
        error instanceof AppError
          ? error.info
          : new AppError('INTERNAL', 'The API could not begin to listen. The log has the details.').info;
      this.#set('failed', null, info);
    }
  }

  async #end(): Promise<void> {
    await this.#server?.close();
    this.#server = null;
  }

  #set(state: ApiStatus['state'], url: string | null, problem: ErrorInfo | null): void {
    this.#state = state;
    this.#url = url;
    this.#problem = problem;
    this.#publish();
  }

  #publish(): void {
    this.#options.onChange(this.status());
  }
}
