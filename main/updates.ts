/**
 * New versions: looked for only once the user has agreed, never under "never use the network", and taken only when our
 * own key signed them. Who fetches and installs is behind `Updater`: electron-updater in the installed app.
 */
import { createPublicKey, verify } from 'node:crypto';

import type { NetworkRequest, Settings, UpdateStatus } from './contract/domain.ts';
import { AppError } from './contract/errors.ts';
import type { Log } from './log.ts';

/** What a release says of itself: the fields of electron-updater's latest.yml, and our signature. */
export interface ReleaseInfo {
  readonly version: string;
  readonly files: readonly { readonly url: string; readonly sha512: string; readonly size?: number }[];
  /** Base64 of an Ed25519 signature over signedText(). */
  readonly signature?: unknown;
}

/** As much of electron-updater as is used here. */
export interface Updater {
  /** Null where this build cannot be updated. Staged releases that are not for us are not available. */
  checkForUpdates(): Promise<{ readonly isUpdateAvailable: boolean; readonly updateInfo: ReleaseInfo } | null>;
  /** Resolves with the files, their digests checked against the release's. */
  downloadUpdate(onShare: (share: number) => void): Promise<readonly string[]>;
  quitAndInstall(): void;
}

export interface UpdatesOptions {
  readonly settings: { readonly current: Settings; onChange(listener: (settings: Settings) => void): () => void };
  readonly publish: (status: UpdateStatus) => void;
  readonly log: Log;
  /** Base64 of an Ed25519 public key in DER (SPKI); empty: this build knows no key and is never updated. */
  readonly publicKey: string;
  /** Every request made is told of. */
  readonly note: (request: NetworkRequest) => void;
  /** Loaded at the first check. */
  readonly updater: (note: (request: NetworkRequest) => void) => Promise<Updater>;
  /** Keeps what the next install replaces, so that one can go back. */
  readonly keepPrevious: (version: string, files: readonly string[]) => Promise<void>;
}

const betweenChecksMs = 24 * 60 * 60 * 1000;

/** Exactly these bytes are signed: version, then name and digest of each file, in the release's order. */
export function signedText({ version, files }: Pick<ReleaseInfo, 'version' | 'files'>): string {
  return [`nemoflash ${version}`, ...files.map(({ url, sha512 }) => `${sha512} ${url}`)].join('\n');
}

export function isSigned(release: ReleaseInfo, publicKey: string): boolean {
  if (typeof release.signature !== 'string' || release.files.length === 0) return false;
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
    return verify(null, Buffer.from(signedText(release)), key, Buffer.from(release.signature, 'base64'));
  } catch {
    return false;
  }
}

export class Updates {
  readonly #options: UpdatesOptions;
  readonly #unsubscribe: () => void;
  #status: UpdateStatus;
  #updater: Updater | null = null;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<UpdateStatus> | null = null;

  /** Looks at once, and then daily, while the user has agreed. */
  constructor(options: UpdatesOptions) {
    this.#options = options;
    this.#status = { state: options.publicKey === '' ? 'unsupported' : 'idle' };
    this.#unsubscribe = options.settings.onChange(() => this.#schedule());
    this.#schedule();
  }

  status(): UpdateStatus {
    return this.#status;
  }

  /** Throws OFFLINE and FORBIDDEN; how the search itself went is in the status. */
  async check(): Promise<UpdateStatus> {
    const { updates, hub } = this.#options.settings.current;
    if (hub.offline) throw new AppError('OFFLINE', 'Nemoflash is set to never use the network.');
    if (updates !== 'on') throw new AppError('FORBIDDEN', 'Looking for new versions is switched off in the settings.');
    if (this.#status.state === 'unsupported' || this.#status.state === 'ready') return this.#status;
    return (this.#running ??= this.#run().finally(() => (this.#running = null)));
  }

  install(): null {
    if (this.#status.state !== 'ready') throw new AppError('NOT_FOUND', 'There is no new version to install yet.');
    this.#updater?.quitAndInstall();
    return null;
  }

  dispose(): void {
    this.#unsubscribe();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #schedule(): void {
    const { updates, hub } = this.#options.settings.current;
    const wanted = this.#status.state !== 'unsupported' && updates === 'on' && !hub.offline;
    if (wanted === (this.#timer !== null)) return;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    if (!wanted) return;
    const look = (): void => void this.check().catch(() => undefined);
    this.#timer = setInterval(look, betweenChecksMs);
    this.#timer.unref();
    look();
  }

  async #run(): Promise<UpdateStatus> {
    try {
      this.#set({ state: 'checking' });
      this.#updater ??= await this.#options.updater(this.#options.note);
      const found = await this.#updater.checkForUpdates();
      if (found === null) return this.#set({ state: 'unsupported' });
      if (!found.isUpdateAvailable) return this.#set({ state: 'current' });
      return await this.#take(found.updateInfo, this.#updater);
    } catch (error) {
      this.#options.log.error('update', error);
      const info =
        error instanceof AppError
          ? error.info
          : new AppError('NETWORK', 'Looking for a new version failed. It is tried again tomorrow.', {
              retryable: true,
            }).info;
      return this.#set({ state: 'failed', error: info });
    }
  }

  async #take(release: ReleaseInfo, updater: Updater): Promise<UpdateStatus> {
    const { version } = release;
    if (!isSigned(release, this.#options.publicKey)) {
      throw new AppError(
        'CHECKSUM',
        `Version ${version} is offered, but not with the signature of Nemoflash's makers. Nothing was fetched.`,
      );
    }
    this.#set({ state: 'downloading', version, share: 0 });
    const files = await updater.downloadUpdate((share) => this.#set({ state: 'downloading', version, share }));
    await this.#options.keepPrevious(version, files);
    return this.#set({ state: 'ready', version });
  }

  #set(status: UpdateStatus): UpdateStatus {
    this.#status = status;
    this.#options.publish(status);
    return status;
  }
}

/** For shells that are not installed by themselves. */
export const noUpdates = {
  status: (): UpdateStatus => ({ state: 'unsupported' }),
  check: (): UpdateStatus => ({ state: 'unsupported' }),
  install: (): never => {
    throw new AppError('UNSUPPORTED', 'Only the installed app updates itself.');
  },
};
