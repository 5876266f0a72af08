import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';

import { GrammarFactory, longestWorkMs } from '../../../main/server/grammar.ts';
import { scriptedEngine } from '../../support/scriptedEngine.ts';

const tokenizer = scriptedEngine().tokenizer();
const factory = new GrammarFactory(tokenizer, 256);
afterAll(async () => factory.close());

const schema = {
  type: 'object',
  properties: { city: { type: 'string' }, big: { type: 'boolean' } },
  required: ['city', 'big'],
  additionalProperties: false,
};
const codes = (text: string): number[] => [...text].map((character) => character.codePointAt(0) ?? 0);
const textOf = (tokens: readonly number[]): string => String.fromCodePoint(...tokens);
const allowedIn = (mask: Int32Array | null): string =>
  textOf(
    Array.from({ length: 128 }, (_, token) => token).filter(
      (token) => (((mask?.[token >> 5] ?? 0) >>> (token & 31)) & 1) === 1,
    ),
  );

describe('a grammar', () => {
  it('allows what the schema does, on one line, and then the end alone', async () => {
    const constraint = await factory.constraint({ kind: 'schema', schema }, false);
    let said = '';
    for (const character of '{"city": "Rome", "big": true}') {
      const { forced, allowed } = await constraint.next(codes(said).slice(-1), 100);
      expect(forced).toEqual([]);
      expect(allowedIn(allowed)).toContain(character);
      said += character;
    }
    expect(allowedIn((await constraint.next(codes('}'), 100)).allowed)).toBe(textOf([2]));
    constraint.dispose();
  });

  it('forces text that is certain, all but the token that what follows may change', async () => {
    const constraint = await factory.constraint({ kind: 'schema', schema }, true);
    const first = await constraint.next([], 100);
    expect(textOf(first.forced)).toBe('{"city": ');
    expect(allowedIn(first.allowed)).toBe('"');
    const next = await constraint.next(codes('"x"'), 4);
    expect(textOf(next.forced)).toBe(', "b');
    expect(allowedIn(next.allowed)).toBe('i');
    constraint.dispose();
  });

  it('holds an object without a schema to be an object with any members', async () => {
    const constraint = await factory.constraint({ kind: 'json' }, false);
    expect(allowedIn((await constraint.next([], 0)).allowed)).toBe('{');
    expect(allowedIn((await constraint.next(codes('{"a": [1, {"b": null}]'), 0)).allowed)).toBe(',}');
    constraint.dispose();
  });

  it('holds nothing but what stands between the tags', async () => {
    const spec = { kind: 'tagged', begin: '<call>', end: '</call>', schema } as const;
    const constraint = await factory.constraint(spec, false);
    expect(allowedIn((await constraint.next(codes('Well, <ca'), 0)).allowed)).toContain('?');
    expect(allowedIn((await constraint.next(codes('ll>'), 0)).allowed)).toBe('{');
    expect(allowedIn((await constraint.next(codes('{"city": "", "big": true}</call>'), 0)).allowed)).toContain('?');
    constraint.dispose();
  });

  it('that is none is refused, and answers that are under way go on', async () => {
    const constraint = await factory.constraint({ kind: 'schema', schema }, false);
    const wrong = { type: 'no-such-type' };
    await expect(factory.constraint({ kind: 'schema', schema: wrong }, true)).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
    await expect(factory.constraint({ kind: 'schema', schema: { enum: [] } }, true)).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
    const huge = { type: 'object', description: 'x'.repeat(300_000) };
    await expect(factory.constraint({ kind: 'schema', schema: huge }, true)).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
    expect(allowedIn((await constraint.next(codes('{'), 0)).allowed)).toBe('"');
    constraint.dispose();
  });

  it('is told what it forbids by an error, not by silence', async () => {
    const constraint = await factory.constraint({ kind: 'schema', schema }, false);
    await expect(constraint.next(codes('x'), 0)).rejects.toMatchObject({ code: 'INTERNAL' });
    constraint.dispose();
  });
});

it('a schema that would take for ever is refused, and ends the thread with all that wait behind it', async () => {
  const other = new GrammarFactory(tokenizer, 256);
  await other.constraint({ kind: 'json' }, false);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const endless = { type: 'string', pattern: '^((a{1,1000}){1,1000}){1,1000}$' };
  const answers = Promise.allSettled([
    other.constraint({ kind: 'schema', schema: endless }, false),
    other.constraint({ kind: 'json' }, false),
  ]);
  await vi.advanceTimersByTimeAsync(longestWorkMs);
  const [guilty, behind] = await answers;
  expect(guilty).toMatchObject({ reason: { code: 'BAD_REQUEST', message: expect.stringContaining('simpler') } });
  expect(behind).toMatchObject({ reason: { code: 'INTERNAL', retryable: true } });
  expect(other.isBroken).toBe(true);
});

it('a factory whose thread has ended says so instead of waiting for ever', async () => {
  const other = new GrammarFactory(tokenizer, 256);
  const constraint = await other.constraint({ kind: 'json' }, false);
  const waiting = constraint.next([], 0);
  await other.close();
  await expect(waiting.then(() => constraint.next([], 0))).rejects.toMatchObject({ code: 'INTERNAL' });
  expect(other.isBroken).toBe(true);
});
