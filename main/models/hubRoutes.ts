/** The hub.* routes: the token, the tests of the connection, and the list of all requests. */
import type { HubPart, HubTest, NetworkRequest, TokenSource } from '../contract/domain.ts';
import type { AccessToken } from './accessToken.ts';
import { testHub } from './hubTests.ts';
import type { Network } from './network.ts';
import type { RequestLog } from './requestLog.ts';

export class HubRoutes {
  readonly #network: Network;
  readonly #log: RequestLog;
  readonly #token: AccessToken;

  constructor(network: Network, log: RequestLog, token: AccessToken) {
    this.#network = network;
    this.#log = log;
    this.#token = token;
  }

  /** What fails is in the answer, not thrown. */
  test({ part }: { readonly part: HubPart }): Promise<HubTest> {
    return testHub(this.#network, part);
  }

  /** A request of another room, for the same list. */
  note(request: NetworkRequest): void {
    this.#log.add(request);
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
