/** The generating requests of now, and the last ones that ended, for the app's own page. Says nothing of what they say. */
import type { ApiRequest } from '../contract/domain.ts';

const endedKept = 20;
/** Changes are told at most this often. */
const tellEveryMs = 200;

export class LiveRequest {
  readonly #changed: () => void;
  #view: ApiRequest;

  constructor(view: ApiRequest, changed: () => void) {
    this.#view = view;
    this.#changed = changed;
  }

  get view(): ApiRequest {
    return this.#view;
  }

  update(fields: Partial<ApiRequest>): void {
    this.#view = { ...this.#view, ...fields };
    this.#changed();
  }

  wrote(tokens: number): void {
    this.update({ phase: 'writing', outputTokens: this.#view.outputTokens + tokens });
  }
}

export class LiveRequests {
  readonly #onChange: () => void;
  readonly #now: () => number;
  #all: readonly LiveRequest[] = [];
  #timer: NodeJS.Timeout | null = null;
  #lastId = 0;

  constructor(onChange: () => void, now: () => number = Date.now) {
    this.#onChange = onChange;
    this.#now = now;
  }

  /** Newest first. */
  get list(): readonly ApiRequest[] {
    return this.#all.map(({ view }) => view);
  }

  begin(path: string): LiveRequest {
    const fields = { path, phase: 'waiting', promptTokens: 0, outputTokens: 0, status: null, endedAt: null } as const;
    const request = new LiveRequest({ id: (this.#lastId += 1), startedAt: this.#now(), ...fields }, () => this.#tell());
    this.#all = [request, ...this.#all];
    this.#tell();
    return request;
  }

  end(request: LiveRequest, status: number): void {
    request.update({ phase: 'ended', status, endedAt: this.#now() });
    const ended = this.#all.filter(({ view }) => view.phase === 'ended');
    const forgotten = new Set(ended.slice(endedKept));
    this.#all = this.#all.filter((entry) => !forgotten.has(entry));
  }

  #tell(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#onChange();
    }, tellEveryMs).unref();
  }
}
