/** One ranged request: checked, watched for stalls, handed on batch by batch. */
import { AppError } from '../contract/errors.ts';
import type { ByteFeed } from './byteFeed.ts';
import type { Network, OpenReply } from './network.ts';
import { errorFromStatus, errorFromThrown, TransferError } from './networkErrors.ts';

export interface StallOptions {
  /** A connection that brings fewer than `minBytes` in this time is given up and opened anew. */
  readonly windowMs: number;
  readonly minBytes: number;
}

export interface RangeRequest {
  readonly network: Network;
  readonly url: string;
  /** Names the file inside an error's sentence. */
  readonly what: string;
  readonly fromByte: number;
  readonly toByte: number;
  readonly sizeBytes: number;
  /** ETag that earlier parts of this file came with; null while none did. */
  readonly etag: string | null;
  readonly stall: StallOptions;
  readonly signal: AbortSignal;
}

export interface RangeSink {
  /** Told before the first byte. */
  onEtag(etag: string | null): void;
  /** The bytes of the range in order, in pieces. The next ones come when the promise is settled. */
  write(batch: readonly Uint8Array[]): Promise<void>;
}

/** The server sent the whole file instead of the range. */
export class RangeIgnored extends TransferError {
  constructor(host: string) {
    super('HUB_ERROR', `${host} cannot send a part of a file, only the whole.`, { retryable: true });
  }
}

/** The address was refused: it has expired, most likely. Ask the hub for a new one. */
export class AddressRefused extends TransferError {
  readonly refusal: AppError;

  constructor(refusal: AppError, what: string) {
    super(refusal.code, `The address of ${what} is refused, it may have expired; a new one is asked for.`, {
      retryable: true,
    });
    this.refusal = refusal;
  }
}

/** Another file lies at the address than the one that was begun. */
export class ContentChanged extends TransferError {
  constructor(what: string) {
    super('HUB_ERROR', `The hub changed ${what} in the middle of the download; the file starts over.`, {
      retryable: true,
    });
  }
}

/** How long to wait for the end of an answer whose bytes are all there, so that its connection can be used again. */
const endGraceMs = 500;

/**
 * Fetches bytes fromByte..toByte-1 into the sink. `whole` takes a server's answer of 200 and skips what was not asked.
 * Throws the errors above, the network's, whatever the sink throws, and the signal's reason.
 */
export async function fetchRange(request: RangeRequest, sink: RangeSink, whole = false): Promise<void> {
  const { network, url, fromByte, toByte, signal } = request;
  const host = new URL(url).host;
  const stall = new AbortController();
  const watch = new StallWatch(request.stall, () =>
    stall.abort(new TransferError('TIMEOUT', `${host} stopped sending.`, { retryable: true })),
  );
  const either = AbortSignal.any([signal, stall.signal]);
  let received = 0;
  let reply: OpenReply<ByteFeed> | null = null;
  try {
    reply = await network.openFeed(url, {
      purpose: 'file',
      what: request.what,
      headers: whole ? {} : { range: `bytes=${fromByte}-${toByte - 1}` },
      signal: either,
    });
    const skipBytes = checkReply(reply, request, host, whole);
    sink.onEtag(strongEtag(reply));
    const saw = (bytes: number) => {
      received += bytes;
      watch.saw(bytes);
    };
    for await (const batch of wanted(reply.body, skipBytes, toByte - fromByte, saw)) {
      // A slow disk is not a slow server.
      await watch.suspended(sink.write(batch));
    }
    reply.end(received);
  } catch (error) {
    reply?.body.cancel();
    reply?.end(received, error instanceof AppError ? error.code : 'stopped');
    if (signal.aborted) throw signal.reason;
    if (stall.signal.aborted) throw stall.signal.reason;
    throw error;
  } finally {
    watch.stop();
  }
}

/** Returns how many bytes of the body come before the wanted ones. */
function checkReply(reply: OpenReply<ByteFeed>, request: RangeRequest, host: string, whole: boolean): number {
  const { status, headers } = reply;
  const { fromByte, toByte, sizeBytes, what, etag } = request;
  if (status === 416) throw new ContentChanged(what);
  if ((status >= 300 && status < 400) || [400, 401, 403, 404, 410].includes(status)) {
    throw new AddressRefused(errorFromStatus(status, headers, host, what), what);
  }
  if (status !== 200 && status !== 206) throw errorFromStatus(status, headers, host, what);
  const found = strongEtag(reply);
  if (etag !== null && found !== null && etag !== found) throw new ContentChanged(what);
  if (status === 200) {
    if (!whole) throw new RangeIgnored(host);
    const length = headers.get('content-length');
    if (length !== null && Number(length) !== sizeBytes) {
      throw new TransferError('HUB_ERROR', `${host} announced ${length} bytes for ${what} instead of ${sizeBytes}.`, {
        retryable: true,
      });
    }
    return fromByte;
  }
  const expected = `bytes ${fromByte}-${toByte - 1}/${sizeBytes}`;
  const range = headers.get('content-range');
  if (range !== expected) {
    throw new TransferError(
      'HUB_ERROR',
      `${host} sent ${range ?? 'an unnamed range'} of ${what} instead of ${expected}.`,
      {
        retryable: true,
      },
    );
  }
  return 0;
}

async function* wanted(
  feed: ByteFeed,
  skipBytes: number,
  wantedBytes: number,
  onBytes: (n: number) => void,
): AsyncGenerator<readonly Uint8Array[]> {
  let skipped = 0;
  let taken = 0;
  while (taken < wantedBytes) {
    const batch = await feed.next().catch((error: unknown) => {
      throw errorFromThrown(error, 'the hub', false);
    });
    if (batch === null) break;
    const pieces: Uint8Array[] = [];
    for (const chunk of batch) {
      onBytes(chunk.byteLength);
      const start = Math.min(chunk.byteLength, skipBytes - skipped);
      skipped += start;
      const bytes = chunk.subarray(start, start + wantedBytes - taken);
      taken += bytes.byteLength;
      if (bytes.byteLength > 0) pieces.push(bytes);
    }
    if (pieces.length > 0) yield pieces;
  }
  if (taken < wantedBytes) {
    throw new TransferError('NETWORK', 'The connection ended before the part was complete.', { retryable: true });
  }
  let timer: NodeJS.Timeout | undefined;
  const grace = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), endGraceMs)));
  const ended = await Promise.race([feed.next().catch(() => null), grace]);
  clearTimeout(timer);
  if (ended !== null) feed.cancel();
}

function strongEtag(reply: OpenReply<ByteFeed>): string | null {
  const etag = reply.headers.get('etag');
  return etag === null || etag.startsWith('W/') ? null : etag;
}

/** Calls `onStall` once when a window of time passes with too few bytes. */
class StallWatch {
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;
  /** In this window the bytes were not waited for all the time. */
  #excused = false;
  #suspended = false;

  constructor({ windowMs, minBytes }: StallOptions, onStall: () => void) {
    this.#timer = setInterval(() => {
      if (this.#bytes < minBytes && !this.#excused) {
        this.stop();
        onStall();
      }
      this.#bytes = 0;
      this.#excused = this.#suspended;
    }, windowMs);
  }

  async suspended(work: Promise<void>): Promise<void> {
    this.#excused = this.#suspended = true;
    await work;
    this.#suspended = false;
  }

  saw(bytes: number): void {
    this.#bytes += bytes;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
