/** The text of one answer, from its tokens: stop strings cut, characters whole. */
import type { NativeStep } from './addon.ts';
import type { GeneratedToken, Tokenizer } from './engineApi.ts';
import { StopStrings } from './stopStrings.ts';
import { TextStream } from './textStream.ts';

export class AnswerText {
  readonly #stream: TextStream | null;
  readonly #stops: StopStrings;
  readonly #tokens: GeneratedToken[] = [];
  // Characters that the first n + 1 tokens decode to.
  readonly #lengths: number[] = [];
  #decoded = '';
  #text = '';
  #ended = false;
  #stopped = false;
  #firstStampNs: number | null = null;

  /** Without a tokenizer tokens have no text. */
  constructor(tokenizer: Tokenizer | null, stops: readonly string[]) {
    this.#stream = tokenizer === null ? null : new TextStream((token) => tokenizer.bytes(token));
    this.#stops = new StopStrings(stops);
  }

  get text(): string {
    return this.#text;
  }

  get tokens(): readonly GeneratedToken[] {
    return this.#tokens;
  }

  /** A stop string was found, or an end token: nothing counts any more. */
  get isComplete(): boolean {
    return this.#ended || this.#stopped;
  }

  /** When the first token was known, an end token included. */
  get firstStampNs(): number | null {
    return this.#firstStampNs;
  }

  /** Adds what the engine made. What follows a stop string or an end token is dropped. */
  push(steps: readonly NativeStep[]): { readonly text: string; readonly tokens: readonly GeneratedToken[] } {
    const tokens: GeneratedToken[] = [];
    let text = '';
    for (const step of steps) {
      if (this.isComplete) break;
      this.#firstStampNs ??= step.stampNs;
      if (step.isEnd) {
        this.#ended = true;
        break;
      }
      tokens.push(generatedToken(step));
      const piece = this.#stream?.push(step.token) ?? '';
      this.#decoded += piece;
      this.#lengths.push(this.#decoded.length);
      const { text: certain, stop } = this.#stops.push(piece);
      text += certain;
      this.#stopped = stop !== null;
    }
    this.#tokens.push(...tokens);
    this.#text += text;
    return { text, tokens };
  }

  /** Nothing follows: text that was held back in vain is released. */
  finish(): string {
    const held = this.isComplete && this.#stopped ? '' : this.#stops.flush();
    this.#text += held;
    return held;
  }

  /** The tokens that decode to exactly `text`; null when a stop string cut one in two. */
  tokensOfText(): Int32Array | null {
    const count = this.#lengths.indexOf(this.#text.length) + 1;
    return count === 0 ? null : Int32Array.from(this.#tokens.slice(0, count), ({ token }) => token);
  }
}

function generatedToken({ token, logprob, stampNs, forwardNs, sampleNs, top }: NativeStep): GeneratedToken {
  return { token, logprob, top, stampNs, forwardNs, sampleNs };
}
