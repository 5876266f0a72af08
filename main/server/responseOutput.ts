/** The output items of a response: whole, or as the events of a stream. */
import { functionCall, newId, outputMessage, outputText } from './responseItems.ts';
import { readToolCalls, ToolCallReader } from './toolCalls.ts';
import type { ToolEvent } from './toolCalls.ts';
import type { ToolUse } from './tools.ts';

type Status = 'completed' | 'incomplete';

/** A message unless the answer is nothing but calls, then the calls. */
export function itemsOf(answer: string, tools: ToolUse | null, status: Status): readonly object[] {
  const { text, calls } = tools === null ? { text: answer, calls: [] } : readToolCalls(answer, tools);
  const message = text !== '' || calls.length === 0 ? [outputMessage(newId('msg'), status, [outputText(text)])] : [];
  const items = calls.map(({ id, function: { name, arguments: given } }) =>
    functionCall(newId('fc'), status, { id, name, arguments: given }),
  );
  return [...message, ...items];
}

type Item =
  | { readonly kind: 'message'; readonly id: string; text: string }
  | {
      readonly kind: 'call';
      readonly id: string;
      readonly call: { readonly id: string; readonly name: string };
      text: string;
    };

/** Tells of items as they begin, grow and end. One is open at a time. */
export class OutputStream {
  readonly #reader: ToolCallReader | null;
  readonly #event: (type: string, fields: object) => void;
  readonly #done: object[] = [];
  #open: Item | null = null;

  constructor(tools: ToolUse | null, event: (type: string, fields: object) => void) {
    this.#reader = tools && new ToolCallReader(tools);
    this.#event = event;
  }

  write(text: string): void {
    if (this.#reader !== null) this.#reader.push(text).forEach((event) => this.#tell(event));
    else this.#tell({ kind: 'text', text });
  }

  /** Ends what is open; the items, for the response as a whole. */
  end(status: Status): readonly object[] {
    this.#reader?.finish().forEach((event) => this.#tell(event));
    if (this.#open === null && this.#done.length === 0) this.#tell({ kind: 'text', text: '' });
    this.#close(status);
    return this.#done;
  }

  #tell(event: ToolEvent): void {
    if (event.kind === 'text') {
      const message = this.#message();
      message.text += event.text;
      if (event.text !== '') {
        this.#event('response.output_text.delta', { ...this.#place(message), delta: event.text, logprobs: [] });
      }
    } else if (event.kind === 'call') {
      const call: Item = { kind: 'call', id: newId('fc'), call: { id: event.id, name: event.name }, text: '' };
      this.#begin(call);
    } else if (this.#open?.kind === 'call') {
      this.#open.text += event.text;
      const { id } = this.#open;
      this.#event('response.function_call_arguments.delta', {
        ...{ item_id: id, output_index: this.#done.length, delta: event.text },
      });
    }
  }

  #message(): Item {
    if (this.#open?.kind === 'message') return this.#open;
    const message: Item = { kind: 'message', id: newId('msg'), text: '' };
    this.#begin(message);
    this.#event('response.content_part.added', { ...this.#place(message), part: outputText('') });
    return message;
  }

  #begin(item: Item): void {
    this.#close('completed');
    this.#open = item;
    this.#event('response.output_item.added', {
      output_index: this.#done.length,
      item: this.#view(item, 'in_progress'),
    });
  }

  #close(status: Status): void {
    const item = this.#open;
    if (item === null) return;
    const place = this.#place(item);
    if (item.kind === 'message') {
      this.#event('response.output_text.done', { ...place, text: item.text, logprobs: [] });
      this.#event('response.content_part.done', { ...place, part: outputText(item.text) });
    } else {
      const { item_id, output_index } = place;
      this.#event('response.function_call_arguments.done', { item_id, output_index, arguments: item.text });
    }
    const view = this.#view(item, status);
    this.#event('response.output_item.done', { output_index: this.#done.length, item: view });
    this.#done.push(view);
    this.#open = null;
  }

  #place({ id }: Item) {
    return { item_id: id, output_index: this.#done.length, content_index: 0 };
  }

  #view(item: Item, status: string): object {
    if (item.kind === 'call') return functionCall(item.id, status, { ...item.call, arguments: item.text });
    const parts = status === 'in_progress' ? [] : [outputText(item.text)];
    return outputMessage(item.id, status, parts);
  }
}
