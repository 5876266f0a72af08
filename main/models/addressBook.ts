/** The current address of a file's bytes, renewed once for all who find it refused. */
import { AppError } from '../contract/errors.ts';
import type { ContentId } from './hasher.ts';
import type { FileLocation } from './hub.ts';

export class AddressBook {
  readonly #locate: () => Promise<FileLocation>;
  readonly #content: ContentId;
  readonly #what: string;
  #current: Promise<FileLocation> | null = null;

  constructor(locate: () => Promise<FileLocation>, content: ContentId, what: string) {
    this.#locate = locate;
    this.#content = content;
    this.#what = what;
  }

  /** Throws what the hub says, and HUB_ERROR when it has another content now than the one listed. */
  async get(): Promise<string> {
    this.#current ??= this.#ask();
    try {
      return (await this.#current).url;
    } catch (error) {
      this.#current = null;
      throw error;
    }
  }

  /** Forgets an address that was refused, unless it was renewed already. */
  async refuse(url: string): Promise<void> {
    const known = await this.#current?.catch(() => null);
    if (known?.url === url) this.#current = null;
  }

  async #ask(): Promise<FileLocation> {
    const location = await this.#locate();
    const { sha256, sizeBytes } = this.#content;
    const otherHash =
      sha256 !== null && location.etag !== null && /^[0-9a-f]{64}$/.test(location.etag) && location.etag !== sha256;
    if (otherHash || (location.sizeBytes !== null && location.sizeBytes !== sizeBytes)) {
      throw new AppError(
        'HUB_ERROR',
        `The hub no longer has ${this.#what} as it was listed. Start the download again to take the new one; what did not change is kept.`,
      );
    }
    return location;
  }
}
