/** The ways in which the loopback hub misbehaves. Each fault strikes a number of matching requests, then is spent. */

export type HubStage = 'info' | 'tree' | 'resolve' | 'cdn' | 'whoami';

interface FaultTarget {
  /** Which requests it strikes; without it, those that send bytes of files. */
  readonly on?: HubStage;
  /** Only requests for this file. */
  readonly file?: string;
  /** Matching requests that pass first. Default 0. */
  readonly skip?: number;
  /** Requests struck before it is spent. Default 1. */
  readonly times?: number;
}

export type HubFault = FaultTarget &
  (
    | { readonly kind: 'cut'; readonly afterBytes: number }
    | { readonly kind: 'stall'; readonly afterBytes: number }
    | { readonly kind: 'drip'; readonly bytesPerSecond: number }
    /** 200 and the whole file for a request with a Range. */
    | { readonly kind: 'ignoreRange' }
    /** Content-Length that differs from what is sent. */
    | { readonly kind: 'wrongLength'; readonly delta: number }
    /** A byte of the file is sent with all its bits turned. */
    | { readonly kind: 'wrongByte'; readonly at: number }
    | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string }
    | { readonly kind: 'redirectLoop' }
    /** Signed addresses handed out so far are refused from now on. */
    | { readonly kind: 'expire' }
    /** Another ETag for the same address. */
    | { readonly kind: 'changeEtag' }
  );

export class FaultList {
  readonly #pending: { readonly fault: HubFault; skip: number; times: number }[] = [];

  add(...faults: readonly HubFault[]): void {
    for (const fault of faults) this.#pending.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 });
  }

  clear(): void {
    this.#pending.length = 0;
  }

  /** The faults that strike this request; counts them down. */
  strike(stage: HubStage, file: string | null, sendsBytes: boolean): readonly HubFault[] {
    const struck: HubFault[] = [];
    for (const entry of this.#pending) {
      const { on, file: only } = entry.fault;
      if (entry.times <= 0 || (on === undefined ? !sendsBytes : on !== stage)) continue;
      if (only !== undefined && only !== file) continue;
      if (entry.skip > 0) {
        entry.skip--;
        continue;
      }
      entry.times--;
      struck.push(entry.fault);
    }
    return struck;
  }
}
