/** Turns tokens into text as they come. A token may end inside a character, which then waits for the rest of it. */
export class TextStream {
  readonly #bytesOf: (token: number) => Uint8Array;
  // A byte order mark is text like any other here.
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(bytesOf: (token: number) => Uint8Array) {
    this.#bytesOf = bytesOf;
  }

  /** The characters that became whole. Bytes that can never be one come out as U+FFFD. */
  push(token: number): string {
    return this.#decoder.decode(this.#bytesOf(token), { stream: true });
  }
}
