/** What the Hugging Face hub says: files, sizes, hashes, the pinned commit, the licence, and where a file's bytes are. */
import type { RepoDescription, RepoFile } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { readLicence } from './modelCard.ts';
import type { Network } from './network.ts';
import { errorFromStatus } from './networkErrors.ts';
import { assertSafeNames, isNeeded, repoFolderName } from './repoFiles.ts';

/** A file of a pinned commit. Its content is named by `sha256`, or by `gitOid` when it is not in LFS. */
export interface RemoteFile extends RepoFile {
  readonly gitOid: string;
}

/** A repository at one commit, as far as the app needs it. */
export interface RemoteSnapshot {
  readonly repo: string;
  readonly commit: string;
  readonly files: readonly RemoteFile[];
  readonly licence: RepoDescription['licence'];
  readonly gated: boolean;
  /** Parsed config.json; null while the hub refuses it. */
  readonly config: unknown;
}

/** Where the bytes of a file are for now. Signed addresses expire: ask again when one is refused. */
export interface FileLocation {
  readonly url: string;
  /** What the hub says the file is: X-Linked-ETag or ETag without quotes, X-Linked-Size. */
  readonly etag: string | null;
  readonly sizeBytes: number | null;
}

const maxRedirects = 10;
const commitPattern = /^[0-9a-f]{40}$/;

// The library is loaded at the first use of the hub, not when the app starts.
const library = () => import('@huggingface/hub');

export class Hub {
  readonly #network: Network;

  constructor(network: Network) {
    this.#network = network;
  }

  get endpoint(): string {
    return this.#network.endpoint;
  }

  /** The commit a branch, tag or commit stands for. Throws HUB_MISSING, HUB_UNAUTHORISED and the network's errors. */
  async resolveRevision(repo: string, revision: string, signal?: AbortSignal): Promise<string> {
    return (await this.#info(repo, revision, signal)).commit;
  }

  /** Lists the needed files of a revision, pinned to its commit, with the licence. Throws UNSUPPORTED without weights. */
  async describe(repo: string, revision = 'main', signal?: AbortSignal): Promise<RemoteSnapshot> {
    repoFolderName(repo);
    const { commit, gated } = await this.#info(repo, revision, signal);
    const files = await this.#list(repo, commit, signal);
    if (
      !files.some((file) => file.path.endsWith('.safetensors')) ||
      !files.some((file) => file.path === 'config.json')
    ) {
      throw new AppError(
        'UNSUPPORTED',
        `${repo} holds no config.json with safetensors weights, so it cannot be used here.`,
      );
    }
    const text = (path: string | undefined) => this.#smallText(repo, commit, path, gated, signal);
    const [card, licenceFile, config] = await Promise.all([
      text(files.find((file) => /^readme\.md$/i.test(file.path))?.path),
      text(files.find((file) => /^licen[cs]e(\.(md|txt))?$/i.test(file.path))?.path),
      text('config.json'),
    ]);
    return {
      repo,
      commit,
      files,
      gated,
      licence: readLicence(card ?? '', licenceFile, `${this.#network.hubUrl}/${repo}/blob/${commit}/`),
      config: config === null ? null : parseConfig(config, repo),
    };
  }

  /** Follows the hub's redirects to the bytes, without fetching them. */
  async locate(repo: string, commit: string, path: string, signal?: AbortSignal): Promise<FileLocation> {
    let url = this.#fileUrl(repo, commit, path);
    let etag: string | null = null;
    let sizeBytes: number | null = null;
    const what = `the file ${path} of ${repo}`;
    for (let hop = 0; hop <= maxRedirects; hop++) {
      const reply = await this.#network.open(url, {
        purpose: 'locate',
        what,
        headers: { range: 'bytes=0-0' },
        signal,
      });
      await reply.body?.cancel();
      reply.end(0);
      etag ??= unquoteEtag(reply.headers.get('x-linked-etag'));
      const linkedSize = reply.headers.get('x-linked-size');
      if (linkedSize !== null && /^\d+$/.test(linkedSize)) sizeBytes ??= Number(linkedSize);
      const location = reply.headers.get('location');
      if (reply.status >= 300 && reply.status < 400 && location !== null) {
        url = new URL(location, url).href;
        // One redirect is the way to the storage, whose own answer adds nothing; a renamed repository stays on the hub.
        if (etag !== null) return { url, etag, sizeBytes };
        continue;
      }
      if (reply.status >= 400 && reply.status !== 416) {
        throw errorFromStatus(reply.status, reply.headers, new URL(url).host, what);
      }
      return { url, etag: etag ?? unquoteEtag(reply.headers.get('etag')), sizeBytes };
    }
    throw new AppError('HUB_ERROR', `${new URL(url).host} redirects ${what} in a circle.`, { retryable: true });
  }

  /** Who the token belongs to. Throws what the request met. */
  async account(): Promise<string> {
    const url = `${this.#network.hubUrl}/api/whoami-v2`;
    const reply = await this.#network.read(url, { purpose: 'test', what: 'page about the token’s account' });
    const account: unknown = await reply.json().catch(() => null);
    if (isObject(account) && typeof account['name'] === 'string') return account['name'];
    throw new AppError('HUB_ERROR', `${new URL(url).host} answered, but not as a hub does: it names no account.`);
  }

  /** Asks for what everybody may know of a public model. Throws what the request met. */
  async greet(repo: string): Promise<void> {
    const { modelInfo } = await library();
    await modelInfo({ name: repo, hubUrl: this.#network.hubUrl, fetch: this.#network.fetchFor('test', repo) });
  }

  async #info(repo: string, revision: string, signal?: AbortSignal): Promise<{ commit: string; gated: boolean }> {
    const { modelInfo } = await library();
    const info = await modelInfo({
      name: repo,
      revision,
      hubUrl: this.#network.hubUrl,
      additionalFields: ['sha'],
      fetch: this.#network.fetchFor('describe', `${repo} at ${revision}`, signal),
    });
    if (typeof info.sha !== 'string' || !commitPattern.test(info.sha)) {
      throw new AppError('HUB_ERROR', `The hub names no commit for ${repo} at ${revision}.`);
    }
    return { commit: info.sha, gated: Boolean(info.gated) };
  }

  async #list(repo: string, commit: string, signal?: AbortSignal): Promise<readonly RemoteFile[]> {
    const { listFiles } = await library();
    const files: RemoteFile[] = [];
    const entries = listFiles({
      repo,
      revision: commit,
      recursive: true,
      hubUrl: this.#network.hubUrl,
      fetch: this.#network.fetchFor('list', `the files of ${repo}`, signal),
    });
    for await (const { type, path, size, oid, lfs } of entries) {
      if (type !== 'file' || !isNeeded(path)) continue;
      const sizeBytes = lfs?.size ?? size;
      if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || !/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(oid ?? '')) {
        throw new AppError(
          'HUB_ERROR',
          `The hub's list of files of ${repo} makes no sense at ${JSON.stringify(path)}.`,
        );
      }
      files.push({ path, sizeBytes, sha256: lfs?.oid ?? null, gitOid: oid ?? '' });
    }
    assertSafeNames(files.map((file) => file.path));
    return files;
  }

  async #smallText(
    repo: string,
    commit: string,
    path: string | undefined,
    gated: boolean,
    signal?: AbortSignal,
  ): Promise<string | null> {
    if (path === undefined) return null;
    try {
      const url = this.#fileUrl(repo, commit, path);
      const reply = await this.#network.read(url, { purpose: 'card', what: `the file ${path} of ${repo}`, signal });
      return await reply.text();
    } catch (error) {
      // The description of a gated repository is public, its files are not: the card is then shown without its text.
      if (gated && error instanceof AppError && error.code === 'HUB_UNAUTHORISED') return null;
      throw error;
    }
  }

  #fileUrl(repo: string, commit: string, path: string): string {
    return `${this.#network.hubUrl}/${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
  }
}

function unquoteEtag(etag: string | null): string | null {
  return etag?.replace(/^W\//, '').replace(/^"|"$/g, '') ?? null;
}

function parseConfig(text: string, repo: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('BAD_MODEL', `The config.json of ${repo} is not JSON, so the model cannot be used.`, { cause });
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
