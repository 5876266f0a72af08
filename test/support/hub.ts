/**
 * A hub on loopback that speaks the protocol as @huggingface/hub and the downloader use it: model info, paged tree with
 * LFS ids, resolve with a redirect to signed storage addresses, ETags, Range. It misbehaves on demand (hubFaults.ts).
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { FaultList } from './hubFaults.ts';
import type { HubFault, HubStage } from './hubFaults.ts';
import { pump, reply } from './hubReplies.ts';
import { readCommit } from './hubRepo.ts';
import type { HubCommit, HubFile } from './hubRepo.ts';

export interface HubOptions {
  /** Repository name to the folder it serves. */
  readonly repos: Readonly<Record<string, string>>;
  readonly faults?: readonly HubFault[];
  /** Entries per page of a listing. Default 1000. */
  readonly pageSize?: number;
  /** Repositories whose files need the token. */
  readonly gated?: readonly string[];
  readonly token?: string;
  /** Most bytes per second and connection; unlimited without it. */
  readonly bytesPerSecond?: number;
}

export interface HubRequest {
  readonly stage: HubStage | 'unknown';
  readonly method: string;
  readonly url: string;
  readonly file: string | null;
  readonly range: string | null;
  readonly authorization: string | null;
  /** Bytes of body handed to the connection so far. */
  sentBytes: number;
  status: number;
}

export interface HubServer {
  readonly url: string;
  readonly requests: readonly HubRequest[];
  readonly faults: FaultList;
  /** Commit that main points to. */
  commit(repo: string): string;
  /** Points main to the folder's present content. Older commits stay, unless they are to be forgotten. */
  publish(repo: string, folder: string, options?: { readonly forgetOlder?: boolean }): Promise<string>;
  /** Body bytes of files sent so far, of one file or of all. */
  sentBytes(file?: string): number;
  close(): Promise<void>;
}

interface Repo {
  main: string;
  readonly commits: Map<string, HubCommit>;
}

/** A page that redirects to itself. */
const loopPath = '/loop';

export async function startHub(options: HubOptions): Promise<HubServer> {
  const hub = new Hub(options);
  for (const [name, folder] of Object.entries(options.repos)) await hub.publish(name, folder);
  await hub.listen();
  return hub;
}

class Hub implements HubServer {
  readonly requests: HubRequest[] = [];
  readonly faults = new FaultList();
  readonly #options: HubOptions;
  readonly #repos = new Map<string, Repo>();
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch(() => response.destroy());
  });
  /** Signed addresses carry the generation they were made in. */
  #signatures = 1;
  #etagSalt = '';
  url = '';

  constructor(options: HubOptions) {
    this.#options = options;
    this.faults.add(...(options.faults ?? []));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async publish(repo: string, folder: string, { forgetOlder = false } = {}): Promise<string> {
    const commit = await readCommit(folder);
    const known = forgetOlder ? undefined : this.#repos.get(repo);
    const commits = known?.commits ?? new Map<string, HubCommit>();
    commits.set(commit.sha, commit);
    this.#repos.set(repo, { main: commit.sha, commits });
    return commit.sha;
  }

  commit(repo: string): string {
    const found = this.#repos.get(repo);
    if (!found) throw new Error(`no repository ${repo}`);
    return found.main;
  }

  sentBytes(file?: string): number {
    const counted = this.requests.filter((request) => request.file !== null && (!file || request.file === file));
    return counted.reduce((sum, request) => sum + request.sentBytes, 0);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url);
    const record: HubRequest = {
      stage: 'unknown',
      method: request.method ?? 'GET',
      url: request.url ?? '/',
      file: null,
      range: request.headers.range ?? null,
      authorization: request.headers.authorization ?? null,
      sentBytes: 0,
      status: 0,
    };
    this.requests.push(record);
    response.on('close', () => (record.status = response.statusCode));

    const info = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/(.+)$/.exec(pathname);
    const tree = /^\/api\/models\/([^/]+\/[^/]+)\/tree\/([^/]+)$/.exec(pathname);
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname);
    const storage = /^\/cdn\/([^/]+\/[^/]+)\/([0-9a-f]{40})\/(.+)$/.exec(pathname);
    const stage = info ? 'info' : tree ? 'tree' : file ? 'resolve' : storage ? 'cdn' : null;
    if (pathname === loopPath) {
      response.writeHead(302, { location: `${this.url}${loopPath}` }).end();
      return;
    }
    if (pathname === '/api/whoami-v2') return this.#whoami(record, response);
    if (stage === null) return reply(response, 404, { error: 'no such page' });
    Object.assign(record, { stage });

    const [, repoName = '', revision = '', path = ''] = info ?? tree ?? file ?? storage ?? [];
    const repo = this.#repos.get(repoName);
    const wanted = decodeURIComponent(revision);
    const commit = repo?.commits.get(['main', 'HEAD'].includes(wanted) ? repo.main : wanted);
    const found = commit?.files.find((entry) => entry.path === decodeURIComponent(path));
    const sendsBytes = stage === 'cdn' || (stage === 'resolve' && found?.lfsOid === null);
    if (sendsBytes) Object.assign(record, { file: found?.path ?? null });

    const faults = this.faults.strike(stage, found?.path ?? null, sendsBytes);
    if (this.#refuse(faults, response)) return;
    if (!repo || !commit)
      return reply(response, 404, { error: 'Repository or revision not found' }, 'RevisionNotFound');
    if (info) return this.#info(repoName, commit, response);
    if (tree) return this.#tree(pathname, searchParams, commit, response);
    const locked = this.#options.gated?.includes(repoName) && !this.#authorised(record);
    if (file && locked) return reply(response, record.authorization ? 403 : 401, { error: 'gated' }, 'GatedRepo');
    if (!found) return reply(response, 404, { error: 'Entry not found' }, 'EntryNotFound');
    if (file && found.lfsOid !== null) return this.#redirect(repoName, commit, found, response);
    if (storage && Number(searchParams.get('signature')) !== this.#signatures) {
      return reply(response, 403, { error: 'signature expired' });
    }
    await this.#send(found, faults, record, request, response);
  }

  #authorised(record: HubRequest): boolean {
    return record.authorization === `Bearer ${this.#options.token}`;
  }

  #whoami(record: HubRequest, response: ServerResponse): void {
    Object.assign(record, { stage: 'whoami' });
    if (this.#authorised(record)) reply(response, 200, { name: 'tester', type: 'user' });
    else reply(response, 401, { error: 'Invalid credentials' });
  }

  /** Faults that answer instead of the hub. */
  #refuse(faults: readonly HubFault[], response: ServerResponse): boolean {
    for (const fault of faults) {
      if (fault.kind === 'status') {
        if (fault.retryAfter !== undefined) response.setHeader('retry-after', fault.retryAfter);
        reply(response, fault.status, { error: `fault ${fault.status}` });
        return true;
      }
      if (fault.kind === 'redirectLoop') {
        response.writeHead(302, { location: `${this.url}${loopPath}` }).end();
        return true;
      }
      if (fault.kind === 'expire') this.#signatures++;
      if (fault.kind === 'changeEtag') this.#etagSalt += 'x';
    }
    return false;
  }

  #info(name: string, commit: HubCommit, response: ServerResponse): void {
    const lastModified = new Date(0).toISOString();
    const gated = this.#options.gated?.includes(name) ? 'manual' : false;
    reply(response, 200, {
      _id: name,
      id: name,
      sha: commit.sha,
      private: false,
      gated,
      likes: 0,
      downloads: 0,
      lastModified,
    });
  }

  #tree(pathname: string, query: URLSearchParams, commit: HubCommit, response: ServerResponse): void {
    const pageSize = this.#options.pageSize ?? 1000;
    const from = Number(query.get('cursor') ?? 0);
    if (from + pageSize < commit.files.length) {
      query.set('cursor', String(from + pageSize));
      response.setHeader('link', `<${this.url}${pathname}?${query}>; rel="next"`);
    }
    const page = commit.files.slice(from, from + pageSize).map((file) => ({
      type: 'file',
      path: file.path,
      size: file.sizeBytes,
      oid: file.gitOid,
      ...(file.lfsOid === null ? {} : { lfs: { oid: file.lfsOid, size: file.sizeBytes, pointerSize: 134 } }),
    }));
    reply(response, 200, page);
  }

  #redirect(repo: string, commit: HubCommit, file: HubFile, response: ServerResponse): void {
    const path = file.path.split('/').map(encodeURIComponent).join('/');
    response.writeHead(302, {
      location: `${this.url}/cdn/${repo}/${commit.sha}/${path}?signature=${this.#signatures}`,
      'x-linked-etag': `"${file.lfsOid}"`,
      'x-linked-size': file.sizeBytes,
      'x-repo-commit': commit.sha,
    });
    response.end();
  }

  async #send(
    file: HubFile,
    faults: readonly HubFault[],
    record: HubRequest,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const find = <K extends HubFault['kind']>(kind: K) =>
      faults.find((fault): fault is Extract<HubFault, { kind: K }> => fault.kind === kind);
    const range = find('ignoreRange') ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const from = Number(range?.[1] ?? 0);
    const to = range?.[2] ? Math.min(Number(range[2]) + 1, file.sizeBytes) : file.sizeBytes;
    if (range && from >= to) return reply(response, 416, { error: 'range' });

    const limit = Math.min(find('cut')?.afterBytes ?? Infinity, find('stall')?.afterBytes ?? Infinity, to - from);
    const delta = find('wrongLength')?.delta ?? 0;
    const etag = record.stage === 'cdn' ? `"${file.lfsOid}${this.#etagSalt}"` : `"${file.gitOid}"`;
    response.writeHead(range ? 206 : 200, {
      etag,
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'content-length': Math.max(0, to - from + delta),
      ...(range ? { 'content-range': `bytes ${from}-${to - 1}/${file.sizeBytes}` } : {}),
    });
    response.flushHeaders();
    const rate = find('drip')?.bytesPerSecond ?? this.#options.bytesPerSecond ?? Infinity;
    await pump({ file, from, to: from + limit, rate, wrongAt: find('wrongByte')?.at ?? -1, record, response });
    if (find('cut')) response.destroy();
    // A stall past the end is none: the answer is complete.
    else if (!find('stall') || limit === to - from) response.end();
  }
}
