/** Reads function calls out of an answer while it is written: text goes on at once, arguments as they come. */
import { randomUUID } from 'node:crypto';

import { begin, end } from './tools.ts';
import type { ToolUse } from './tools.ts';

export interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
}

/** What became certain: text beside the calls, a call of which the name is known, or more of a call's arguments. */
export type ToolEvent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'call'; readonly index: number; readonly id: string; readonly name: string }
  | { readonly kind: 'arguments'; readonly index: number; readonly text: string };

/** As the grammar has it; whitespace is its own affair. */
const head = /^\s*\{\s*"name"\s*:\s*"([^"]*)"\s*,\s*"arguments"\s*:\s*(?=\S)/;

/** How far a JSON value goes in text that arrives in pieces. */
class JsonEnd {
  #depth = 0;
  #isString = false;
  #isEscaped = false;

  /** Where in `text` the value has ended: behind its last bracket, or before one that is not its own; -1: not in here. */
  find(text: string): number {
    for (let at = 0; at < text.length; at += 1) {
      const character = text[at] ?? '';
      if (this.#isString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (character === '\\') this.#isEscaped = true;
        else if (character === '"') this.#isString = false;
      } else if (character === '"') this.#isString = true;
      else if ('{['.includes(character)) this.#depth += 1;
      else if ('}]'.includes(character)) {
        if (this.#depth === 0) return at;
        this.#depth -= 1;
        if (this.#depth === 0) return at + 1;
      }
    }
    return -1;
  }
}

/** The longest end of `text` that `mark` begins with. */
function partOf(mark: string, text: string): number {
  let length = Math.min(mark.length - 1, text.length);
  while (length > 0 && !text.endsWith(mark.slice(0, length))) length -= 1;
  return length;
}

export class ToolCallReader {
  readonly #required: boolean;
  #place: 'text' | 'head' | 'arguments' | 'tail';
  #pending = '';
  #calls = 0;
  #json = new JsonEnd();

  constructor({ required }: ToolUse) {
    this.#required = required;
    this.#place = required ? 'head' : 'text';
  }

  push(text: string): ToolEvent[] {
    this.#pending += text;
    const events: ToolEvent[] = [];
    while (this.#step(events));
    return events;
  }

  /** At the end of the answer: what was held back in vain is text. */
  finish(): ToolEvent[] {
    const text = this.#place === 'text' ? this.#pending : '';
    const cut = this.#place === 'head' ? `${this.#required ? '' : begin}${this.#pending}` : '';
    this.#pending = '';
    return text + cut === '' ? [] : [{ kind: 'text', text: text + cut }];
  }

  /** false: more text is needed. */
  #step(events: ToolEvent[]): boolean {
    switch (this.#place) {
      case 'text': {
        const found = this.#pending.indexOf(begin);
        const certain = found >= 0 ? found : this.#pending.length - partOf(begin, this.#pending);
        if (certain > 0) events.push({ kind: 'text', text: this.#pending.slice(0, certain) });
        this.#go(found >= 0 ? 'head' : 'text', found >= 0 ? found + begin.length : certain);
        return found >= 0;
      }
      case 'head': {
        const match = head.exec(this.#pending);
        if (match === null) return false;
        const id = `call_${randomUUID().replaceAll('-', '').slice(0, 24)}`;
        events.push({ kind: 'call', index: this.#calls, id, name: match[1] ?? '' });
        this.#json = new JsonEnd();
        this.#go('arguments', match[0].length);
        return true;
      }
      case 'arguments': {
        const end = this.#json.find(this.#pending);
        const text = end < 0 ? this.#pending : this.#pending.slice(0, end);
        if (text !== '') events.push({ kind: 'arguments', index: this.#calls, text });
        this.#go(end < 0 ? 'arguments' : 'tail', text.length);
        if (end >= 0) this.#calls += 1;
        return end >= 0;
      }
      case 'tail': {
        const found = this.#required ? -1 : this.#pending.indexOf(end);
        if (found >= 0) this.#go('text', found + end.length);
        return found >= 0;
      }
    }
  }

  #go(place: 'text' | 'head' | 'arguments' | 'tail', taken: number): void {
    this.#place = place;
    this.#pending = this.#pending.slice(taken);
  }
}

/** A whole answer: the text beside the calls, and the calls, the last of which may be cut off. */
export function readToolCalls(
  answer: string,
  use: ToolUse,
): { readonly text: string; readonly calls: readonly ToolCall[] } {
  const reader = new ToolCallReader(use);
  const calls: { id: string; name: string; text: string }[] = [];
  let text = '';
  for (const event of [...reader.push(answer), ...reader.finish()]) {
    if (event.kind === 'text') text += event.text;
    else if (event.kind === 'call') calls.push({ id: event.id, name: event.name, text: '' });
    else for (const call of calls.slice(-1)) call.text += event.text;
  }
  return {
    text: calls.length > 0 ? text.trim() : text,
    calls: calls.map((call) => ({
      id: call.id,
      type: 'function',
      function: { name: call.name, arguments: call.text },
    })),
  };
}
