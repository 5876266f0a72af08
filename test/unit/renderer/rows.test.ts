import { describe, expect, test } from 'vitest';

import {
  initialChat,
  reduceFinished,
  reduceFrames,
  reduceOpened,
  reduceStarted,
} from '../../../renderer/state/chatReducers.ts';
import type { ChatState } from '../../../renderer/state/chatReducers.ts';
import { blocksOfPart, contentOf, selectRows } from '../../../renderer/state/rows.ts';
import { chat, frame, message } from './messages.ts';

const question = message('u1', null);
const section = `## Title\n\n${'A paragraph of words. '.repeat(20)}\n\n- a\n- b\n\n`;
const long = section.repeat(40);

/** What the rows of the answer show, in their order. */
function shown(state: ChatState): readonly string[] {
  const answer = state.open?.tree.byId['a1'];
  if (answer === undefined) return [];
  return selectRows(state, null)
    .filter(({ id }) => id === 'a1')
    .map(({ part, parts }) =>
      blocksOfPart(contentOf(state, answer), part, parts)
        .map(({ source }) => source)
        .join(''),
    );
}

describe('the rows of a conversation', () => {
  test('a long answer is several rows that together are its text; shown as its tokens it is one', () => {
    const state = reduceOpened(initialChat, chat([question, message('a1', 'u1', { content: long })], 'a1'));
    expect(shown(state).length).toBeGreaterThan(3);
    expect(shown(state).join('')).toBe(long);
    expect(selectRows(state, 'a1').map(({ key }) => key)).toEqual(['u1', 'a1']);
  });

  test('while it is written only rows are added, and the blocks of those before stay the same', () => {
    const answer = message('a1', 'u1', { content: '', status: 'streaming' });
    const opened = reduceOpened(initialChat, chat([question], 'u1'));
    let state = reduceStarted(opened, { generationId: 'g1', answer });
    let keys: readonly string[] = [];
    for (let at = 0; at < long.length; at += 97) {
      const before = state;
      const rows = selectRows(state, null);
      state = reduceFrames(state, [frame('g1', long.slice(at, at + 97))]);
      const grown = selectRows(state, null);
      if (grown.length === rows.length) expect(grown).toBe(rows);
      keys = grown.map(({ key }) => key);
      expect(keys.slice(0, rows.length - 1)).toEqual(rows.slice(0, -1).map(({ key }) => key));
      const first = (of: ChatState) => blocksOfPart(contentOf(of, answer), 0, grown.length - 1)[0];
      if (rows.length > 2) expect(first(state)).toBe(first(before));
    }
    const done = reduceFinished(state, { generationId: 'g1', message: { ...answer, content: long } });
    expect(shown(done).join('')).toBe(long);
    expect(selectRows(done, null).map(({ key }) => key)).toEqual(keys);
  });
});
