import { describe, expect, it } from 'vitest';

import { readToolCalls, ToolCallReader } from '../../../main/server/toolCalls.ts';
import type { ToolEvent } from '../../../main/server/toolCalls.ts';

const auto = { tools: [], required: false };
const forced = { tools: [], required: true };
const call = (name: string, given: string) => `<tool_call>{"name": "${name}", "arguments": ${given}}</tool_call>`;

/** The answer in pieces of so many characters. */
function read(answer: string, size: number, use = auto): ToolEvent[] {
  const reader = new ToolCallReader(use);
  const pieces = answer.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
  return [...pieces.flatMap((piece) => reader.push(piece)), ...reader.finish()];
}
const joined = (events: readonly ToolEvent[]) => {
  const text = events.map((event) => (event.kind === 'text' ? event.text : '')).join('');
  const calls = events.flatMap((event) => (event.kind === 'call' ? [event.name] : []));
  const given = calls.map((_, index) =>
    events.map((event) => (event.kind === 'arguments' && event.index === index ? event.text : '')).join(''),
  );
  return { text, calls, given };
};

describe('calls in an answer', () => {
  const given = '{"city": "a </tool_call> \\" } b", "n": [1, {"x": "]"}]}';
  const answer = `Let me see <b>.\n${call('find', given)}and ${call('look', '{}')}`;

  it.each([1, 2, 7, 1000])('are the same in pieces of %d characters', (size) => {
    expect(joined(read(answer, size))).toEqual({
      text: 'Let me see <b>.\nand ',
      calls: ['find', 'look'],
      given: [given, '{}'],
    });
  });

  it('text goes on at once, held back only where a call may begin', () => {
    const reader = new ToolCallReader(auto);
    expect(reader.push('Hello <to')).toEqual([{ kind: 'text', text: 'Hello ' }]);
    expect(reader.push('ast>')).toEqual([{ kind: 'text', text: '<toast>' }]);
  });

  it('the name comes first, then arguments as they are written', () => {
    const events = read('{"name": "f", "arguments": {"a": 1}}', 1, forced);
    expect(events[0]).toMatchObject({ kind: 'call', index: 0, name: 'f' });
    expect(events.slice(1).map((event) => event.kind === 'arguments' && event.text)).toEqual([...'{"a": 1}']);
  });

  it('what is cut before a name is text; what is cut behind it is a call that is not whole', () => {
    expect(readToolCalls('Hm <tool_call>{"na', auto)).toEqual({ text: 'Hm <tool_call>{"na', calls: [] });
    expect(readToolCalls('<tool_call>{"name": "f", "arguments": {"a', auto).calls).toMatchObject([
      { function: { name: 'f', arguments: '{"a' } },
    ]);
    expect(readToolCalls('no call', forced)).toEqual({ text: 'no call', calls: [] });
  });
});
