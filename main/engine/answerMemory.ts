/**
 * Which tokens an answer was made of. The same text can be spelled in other tokens than the tokenizer would choose, and
 * only the very same tokens let the next turn go on from where the engine stands.
 */
import { isPrefix } from './checkpointPool.ts';

interface Answer {
  readonly prompt: Int32Array;
  readonly tokens: Int32Array;
}

const maxAnswers = 1000;

export class AnswerMemory {
  // By text; the newest last.
  readonly #answers = new Map<string, readonly Answer[]>();
  #size = 0;

  /** `tokens` decode to exactly `text`. */
  remember(prompt: Int32Array, text: string, tokens: Int32Array): void {
    if (text === '' || tokens.length === 0) return;
    const others = (this.#answers.get(text) ?? []).filter((answer) => !isSame(answer.prompt, prompt));
    this.#forget(text);
    this.#answers.set(text, [...others, { prompt, tokens }]);
    this.#size += others.length + 1;
    for (const oldest of this.#answers.keys()) {
      if (this.#size <= maxAnswers || oldest === text) break;
      this.#forget(oldest);
    }
  }

  /** Whether a recall can succeed at all. */
  mayKnow(text: string): boolean {
    return this.#answers.has(text);
  }

  /** The tokens of this answer to this prompt, or null. */
  recall(prompt: Int32Array, text: string): Int32Array | null {
    return this.#answers.get(text)?.findLast((answer) => isSame(answer.prompt, prompt))?.tokens ?? null;
  }

  clear(): void {
    this.#answers.clear();
    this.#size = 0;
  }

  #forget(text: string): void {
    this.#size -= this.#answers.get(text)?.length ?? 0;
    this.#answers.delete(text);
  }
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && isPrefix(a, b);
}
