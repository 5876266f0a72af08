/**
 * Who may enter the web shell: a Host of this machine (against DNS rebinding), the page's own Origin (against other
 * pages in the same browser), and a session, had in exchange for a one-time link (against everybody else).
 */
import { createHash, randomBytes } from 'node:crypto';

const loopbackHosts = ['127.0.0.1', 'localhost', '[::1]'];
const maxSessions = 64;

const secret = (): string => randomBytes(32).toString('base64url');
/** Secrets are kept and compared as digests, so that the time a comparison takes tells nothing. */
const digest = (text: string): string => createHash('sha256').update(text).digest('base64url');

function readCookie(header: string | undefined, name: string): string | null {
  for (const part of (header ?? '').split(';')) {
    const [key, value] = part.split('=', 2);
    if (key?.trim() === name && value !== undefined) return value.trim();
  }
  return null;
}

export class WebAccess {
  readonly #port: number;
  readonly #links = new Set<string>();
  readonly #sessions = new Set<string>();

  constructor(port: number) {
    this.#port = port;
  }

  /** Cookies do not know ports: the name keeps two shells on one machine apart. */
  get cookieName(): string {
    return `nemoflash-${this.#port}`;
  }

  isOurHost(host: string | undefined): boolean {
    return host !== undefined && loopbackHosts.some((name) => host.toLowerCase() === `${name}:${this.#port}`);
  }

  /** The origin must be exactly the one that the request itself was sent to. */
  isOurOrigin(origin: string | undefined, host: string | undefined): boolean {
    return this.isOurHost(host) && origin === `http://${host?.toLowerCase()}`;
  }

  /** A link that lets one browser in, once. */
  createLink(): string {
    const token = secret();
    this.#links.add(digest(token));
    return `http://127.0.0.1:${this.#port}/?token=${token}`;
  }

  /** The value of a Set-Cookie header; null when the token is unknown or was used. */
  redeem(token: string): string | null {
    if (!this.#links.delete(digest(token))) return null;
    const session = secret();
    this.#sessions.add(digest(session));
    const [oldest] = this.#sessions;
    if (this.#sessions.size > maxSessions && oldest !== undefined) this.#sessions.delete(oldest);
    return `${this.cookieName}=${session}; Path=/; HttpOnly; SameSite=Strict`;
  }

  hasSession(cookieHeader: string | undefined): boolean {
    const session = readCookie(cookieHeader, this.cookieName);
    return session !== null && this.#sessions.has(digest(session));
  }
}
