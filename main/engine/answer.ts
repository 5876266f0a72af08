/** Grows one answer from sampled tokens: text that is certain, stop strings, and the tokens behind the text. */
import type { NativeStep } from './addon.ts';
import type { Frame, GeneratedToken, GenerateRequest, Tokenizer } from './engineApi.ts';
import { StopStrings } from './stopStrings.ts';
import { TextStream } from './textStream.ts';

function generatedToken({ token, logprob, top, stampNs, forwardNs, sampleNs, classNs }: NativeStep): GeneratedToken {
  return { token, logprob, top, stampNs, forwardNs, sampleNs, ...(classNs && { classNs }) };
}

type AnswerOptions = Pick<GenerateRequest, 'ignoreEnd' | 'stopTokens'> & {
  readonly sampling: Pick<GenerateRequest['sampling'], 'stop'>;
};

export class Answer {
  readonly #tokenizer: Tokenizer;
  readonly #ignoreEnd: boolean;
  readonly #stopTokens: ReadonlySet<number>;
  readonly #stream: TextStream;
  readonly #stops: StopStrings;
  readonly #tokens: GeneratedToken[] = [];
  // Length of the decoded text after each token, held-back text included.
  readonly #textEnds: number[] = [];
  readonly #sampled: number[] = [];
  #decodedLength = 0;
  #firstStampNs: number | null = null;
  #isStopped = false;
  text = '';
  /** Spent on turning tokens into text, on main's clock. */
  detokeniseNs = 0;

  constructor(tokenizer: Tokenizer, { sampling, ignoreEnd, stopTokens }: AnswerOptions) {
    this.#tokenizer = tokenizer;
    this.#ignoreEnd = ignoreEnd ?? false;
    this.#stopTokens = new Set(stopTokens);
    const silent: ReadonlySet<number> = new Set(tokenizer.endTokens);
    const nothing = new Uint8Array(0);
    this.#stream = new TextStream((token) => (silent.has(token) ? nothing : tokenizer.bytes(token)));
    this.#stops = new StopStrings(sampling.stop);
  }

  /** The answer's tokens, up to the one that ended a stop string. */
  get tokens(): readonly GeneratedToken[] {
    return this.#tokens;
  }

  /** Everything the engine sampled, also what came after a stop string. */
  get sampled(): readonly number[] {
    return this.#sampled;
  }

  /** Whether a stop string was found. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** When the first token was known, the end token included. */
  get firstStampNs(): number | null {
    return this.#firstStampNs;
  }

  /** Takes steps in; gives the frame they make, or null when there is nothing to tell. */
  push(steps: readonly NativeStep[]): Frame | null {
    const added: GeneratedToken[] = [];
    const beganMs = performance.now();
    let text = '';
    for (const step of steps) {
      this.#sampled.push(step.token);
      this.#firstStampNs ??= step.stampNs;
      if (this.#isStopped || (step.isEnd && !this.#ignoreEnd)) continue;
      if (this.#stopTokens.has(step.token)) {
        text += this.#stops.flush();
        this.#isStopped = true;
        continue;
      }
      const decoded = this.#stream.push(step.token);
      this.#decodedLength += decoded.length;
      const piece = this.#stops.push(decoded);
      text += piece.text;
      this.#isStopped = piece.stop !== null;
      const token = generatedToken(step);
      added.push(token);
      this.#tokens.push(token);
      this.#textEnds.push(this.#decodedLength);
    }
    this.text += text;
    this.detokeniseNs += 1e6 * (performance.now() - beganMs);
    return added.length === 0 && text === '' ? null : { text, tokens: added };
  }

  /** Text that was held back for a stop string that did not come. */
  finish(): Frame | null {
    if (this.#isStopped) return null;
    const text = this.#stops.flush();
    this.text += text;
    return text === '' ? null : { text, tokens: [] };
  }

  /** Tokens that decode to exactly `text`: the sampled ones as far as they go, the rest as the tokenizer writes it. */
  tokensOfText(): Int32Array {
    let count = this.#tokens.length;
    while (count > 0 && !this.#spellsText(count)) count -= 1;
    const sampled = this.#tokens.slice(0, count).map(({ token }) => token);
    const rest = this.text.slice(count > 0 ? this.#textEnds[count - 1] : 0);
    return rest === '' ? Int32Array.from(sampled) : Int32Array.from([...sampled, ...this.#tokenizer.encode(rest)]);
  }

  /** Whether the first tokens end at a whole character, inside the text. */
  #spellsText(count: number): boolean {
    const end = this.#textEnds[count - 1] ?? 0;
    if (end > this.text.length) return false;
    return this.#tokenizer.decode(this.#tokens.slice(0, count).map(({ token }) => token)) === this.text.slice(0, end);
  }
}
