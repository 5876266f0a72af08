/** From messages to token ids, per prompt format, and where checkpoints are worth keeping. */
import type { PromptFormat } from '../contract/domain.ts';
import { AppError, assertNever } from '../contract/errors.ts';
import type { AnswerMemory } from './answerMemory.ts';
import type { Prompt, PromptMessage, Tokenizer } from './engineApi.ts';

interface Piece {
  readonly text: string;
  /** What the assistant said; it may be known token by token. */
  readonly isAnswer: boolean;
  /** What it was made of, as the caller says. */
  readonly tokens?: Int32Array | undefined;
  /** What comes before this piece is worth a checkpoint. */
  readonly boundaryBefore: boolean;
}

/**
 * Turns as on the model card, "User: …\nAssistant:", the system text first. A conversation that ends with an answer
 * goes on with that answer.
 */
function modelCardPieces(messages: readonly PromptMessage[]): readonly Piece[] {
  const pieces: Piece[] = [];
  const add = (text: string, isAnswer: boolean, boundaryBefore: boolean) =>
    pieces.push({ text, isAnswer, boundaryBefore: boundaryBefore && pieces.length > 0 });
  messages.forEach(({ role, content, tokens }, index) => {
    const before = index === 0 ? '' : '\n';
    if (role === 'system') {
      add(`${before}${content}`, false, true);
    } else if (role === 'user') {
      add(`${before}User: ${content}`, false, true);
    } else {
      add(`${before}Assistant:`, false, true);
      pieces.push({ text: content, isAnswer: true, tokens, boundaryBefore: false });
    }
  });
  if (messages.at(-1)?.role !== 'assistant') add(messages.length === 0 ? 'Assistant:' : '\nAssistant:', false, true);
  return pieces;
}

function piecesOf(messages: readonly PromptMessage[], format: PromptFormat): readonly Piece[] {
  switch (format) {
    case 'model-card':
      return modelCardPieces(messages);
    case 'raw':
      return messages.map(({ role, content, tokens }, index) => ({
        text: content,
        tokens,
        isAnswer: role === 'assistant',
        boundaryBefore: index > 0,
      }));
    default:
      return assertNever(format);
  }
}

/** The tokens that the tokenizer's post-processor puts in front of a text. */
function leadingSpecialTokens(tokenizer: Tokenizer): Int32Array {
  const bare = tokenizer.encode('a', { addSpecialTokens: false });
  const decorated = tokenizer.encode('a', { addSpecialTokens: true });
  const start = decorated.findIndex((_, index) => bare.every((token, offset) => decorated[index + offset] === token));
  return decorated.slice(0, Math.max(0, start));
}

/** Tokens and boundaries as they grow. Text gathers until it must become tokens, so that words may span pieces. */
class Builder {
  readonly #tokenizer: Tokenizer;
  readonly #tokens: number[] = [];
  readonly #boundaries = new Set<number>();
  #text = '';
  // Lengths of #text, in characters, where a boundary is wanted.
  #cuts: number[] = [];

  constructor(tokenizer: Tokenizer, leading: Int32Array) {
    this.#tokenizer = tokenizer;
    this.#tokens.push(...leading);
  }

  addText(text: string): void {
    this.#text += text;
  }

  addBoundary(): void {
    if (this.#text === '') this.#mark(this.#tokens.length);
    else this.#cuts.push(this.#text.length);
  }

  addTokens(tokens: Int32Array): void {
    this.settle();
    for (const token of tokens) this.#tokens.push(token);
  }

  /** Makes tokens of the text so far. */
  settle(): Int32Array {
    if (this.#text !== '') {
      const encoded = this.#tokenizer.encode(this.#text, { addSpecialTokens: false });
      this.#markCuts(encoded);
      for (const token of encoded) this.#tokens.push(token);
      this.#text = '';
      this.#cuts = [];
    }
    return Int32Array.from(this.#tokens);
  }

  finish(): Prompt {
    const tokens = this.settle();
    this.#mark(tokens.length);
    return { tokens, boundaries: [...this.#boundaries].sort((a, b) => a - b) };
  }

  /** A cut inside a token becomes a boundary before that token. */
  #markCuts(encoded: Int32Array): void {
    const ends = this.#cuts.map((cut) => Buffer.byteLength(this.#text.slice(0, cut)));
    const lengths = Array.from(encoded, (token) => this.#tokenizer.bytes(token).length);
    // A normaliser changed the text: lengths say nothing then.
    if (lengths.reduce((sum, length) => sum + length, 0) !== Buffer.byteLength(this.#text)) return;
    let bytes = 0;
    let next = 0;
    for (let index = 0; index < lengths.length; index += 1) {
      const end = bytes + (lengths[index] ?? 0);
      for (let cut = ends[next]; cut !== undefined && cut < end; cut = ends[next]) {
        this.#mark(this.#tokens.length + index);
        next += 1;
      }
      bytes = end;
    }
  }

  #mark(count: number): void {
    if (count > 0) this.#boundaries.add(count);
  }
}

/** The tokens that a message brings along, if they are its text to this tokenizer; they may be another model's. */
function ownTokens({ text, tokens }: Piece, tokenizer: Tokenizer): Int32Array | null {
  if (tokens === undefined || !tokens.every((token) => tokenizer.bytes(token).length > 0)) return null;
  return tokenizer.decode(tokens) === text ? tokens : null;
}

/** After "Assistant:" the model begins with a space; an answer that came from elsewhere may not. */
function spaced(answer: string): string {
  return answer === '' || /^\s/.test(answer) ? answer : ` ${answer}`;
}

/**
 * The prompt of a conversation. model-card puts the tokenizer's leading special tokens in front, raw does not, as
 * trtllm-serve. Answers that this engine gave go in as the very tokens it gave, so that nothing is read twice.
 */
export function buildPrompt(
  messages: readonly PromptMessage[],
  format: PromptFormat,
  tokenizer: Tokenizer,
  answers: AnswerMemory,
): Prompt {
  const leading = format === 'model-card' ? leadingSpecialTokens(tokenizer) : new Int32Array(0);
  const builder = new Builder(tokenizer, leading);
  for (const piece of piecesOf(messages, format)) {
    const { text, isAnswer, boundaryBefore } = piece;
    if (boundaryBefore) builder.addBoundary();
    const known = isAnswer
      ? (ownTokens(piece, tokenizer) ?? (answers.mayKnow(text) ? answers.recall(builder.settle(), text) : null))
      : null;
    if (known !== null) builder.addTokens(known);
    else builder.addText(isAnswer && format === 'model-card' ? spaced(text) : text);
  }
  return builder.finish();
}

interface Room {
  readonly contextPositions: number;
  readonly metaTokens: number;
}

/** Throws CONTEXT_FULL unless the prompt and at least one token of an answer have room. */
export function checkRoom(prompt: Prompt, room: Room): void {
  const { contextPositions, metaTokens } = room;
  const available = contextPositions - metaTokens;
  if (prompt.tokens.length < available) return;
  throw new AppError(
    'CONTEXT_FULL',
    `The conversation has ${prompt.tokens.length} tokens, and the context has room for ${Math.max(0, available - 1)} ` +
      `before an answer (${contextPositions} positions, ${metaTokens} of them the model's own). ` +
      'Start a new chat, shorten the text, or load the model with a larger context.',
  );
}

/** Throws BAD_ARGUMENT for what is no prompt of this model, and CONTEXT_FULL as checkRoom() does. */
export function checkPrompt(prompt: Prompt, model: Room & { readonly vocab: number }): void {
  if (prompt.tokens.length === 0) {
    throw new AppError('BAD_ARGUMENT', 'The prompt is empty. Write something first.');
  }
  if (!prompt.tokens.every((token) => token >= 0 && token < model.vocab)) {
    throw new AppError('BAD_ARGUMENT', `The prompt has token ids outside 0 to ${model.vocab - 1}.`);
  }
  checkRoom(prompt, model);
}
