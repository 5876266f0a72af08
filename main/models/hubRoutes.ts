/** The hub.* routes: the token, the test of the connection, and the list of all requests. */
import { catalog } from '../contract/domain.ts';
import type { HubTest, NetworkRequest, TokenSource } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { AccessToken } from './accessToken.ts';
import type { Hub } from './hub.ts';
import type { RequestLog } from './requestLog.ts';

export class HubRoutes {
  readonly #hub: Hub;
  readonly #log: RequestLog;
  readonly #token: AccessToken;

  constructor(hub: Hub, log: RequestLog, token: AccessToken) {
    this.#hub = hub;
    this.#log = log;
    this.#token = token;
  }

  /** With a token: who it belongs to. Without: one public model. What fails is in the answer, not thrown. */
  async test(): Promise<HubTest> {
    const startedAt = performance.now();
    const done = (user: string | null, problem: HubTest['problem']): HubTest => ({
      endpoint: this.#hub.endpoint,
      ok: problem === null,
      durationMs: Math.round(performance.now() - startedAt),
      user,
      problem,
    });
    try {
      return done(await this.#hub.test(catalog[0]?.repo ?? ''), null);
    } catch (error) {
      if (error instanceof AppError) return done(null, error.info);
      throw error;
    }
  }

  requests(): readonly NetworkRequest[] {
    return this.#log.list();
  }

  /** Where the token in use comes from; never the token. */
  token(): { readonly source: TokenSource } {
    return { source: this.#token.source() };
  }

  async setToken({ token }: { readonly token: string | null }): Promise<{ readonly stored: boolean }> {
    return { stored: await this.#token.set(token) };
  }
}
