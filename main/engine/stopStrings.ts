/** Finds stop strings in text that arrives in pieces, and holds back what may be the start of one. */

export interface Piece {
  /** Text that is certain: no stop string begins in it. */
  readonly text: string;
  /** The stop string that was found; `text` ends before it. */
  readonly stop: string | null;
}

export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';

  /** Empty strings stop nothing. */
  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop.length > 0);
  }

  /** Adds text. Of stop strings the one that begins first counts; where two begin together, the longer. */
  push(text: string): Piece {
    const all = this.#held + text;
    const found = this.#find(all);
    if (found !== null) {
      this.#held = '';
      return { text: all.slice(0, found.start), stop: found.stop };
    }
    const certain = all.length - this.#lengthToHold(all);
    this.#held = all.slice(certain);
    return { text: all.slice(0, certain), stop: null };
  }

  /** The text that was held back in vain: nothing follows any more. */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }

  #find(text: string): { start: number; stop: string } | null {
    let best: { start: number; stop: string } | null = null;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
      if (start < 0) continue;
      const better = best === null || start < best.start || (start === best.start && stop.length > best.stop.length);
      if (better) best = { start, stop };
    }
    return best;
  }

  /** The longest end of `text` that a stop string begins with. */
  #lengthToHold(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length -= 1) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
