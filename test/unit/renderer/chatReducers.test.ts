import { describe, expect, test } from 'vitest';

import type { Message } from '../../../main/contract/domain.ts';
import {
  initialChat,
  isFromElsewhere,
  reduceFinished,
  reduceFrames,
  reduceHead,
  reduceOpened,
  reducePrefill,
  reduceStarted,
  reduceStopping,
  reduceVersion,
  runFor,
  selectActiveRun,
} from '../../../renderer/state/chatReducers.ts';
import type { ChatState } from '../../../renderer/state/chatReducers.ts';
import { chat, frame, message } from './messages.ts';

const opened = (): ChatState => reduceOpened(initialChat, chat([], null));
const streaming = (id: string): Message => message(id, 'u1', { content: '', status: 'streaming' });
const started = (): ChatState =>
  reduceStarted(opened(), { generationId: 'g1', user: message('u1', null), answer: streaming('a1') });

describe('a streaming answer', () => {
  test('grows by its frames, all of one paint at once', () => {
    const state = reduceFrames(started(), [frame('g1', 'Hel'), frame('g1', 'lo')]);
    expect(runFor(state, 'a1')).toMatchObject({ tokens: 2, content: { text: 'Hello' } });
  });

  test('drops frames of a run that has ended', () => {
    const finished = { generationId: 'g1', message: message('a1', 'u1', { content: 'Hello' }) };
    const state = reduceFinished(reduceFrames(started(), [frame('g1', 'Hel')]), finished);
    const late = reduceFrames(state, [frame('g1', 'LATE')]);
    expect(late).toBe(state);
    expect(late.open?.tree.byId['a1']?.content).toBe('Hello');
    expect(selectActiveRun(late)).toBeNull();
  });

  test('drops late frames of a cancelled run while a new run on the same question streams', () => {
    let state = reduceStopping(started(), 'g1');
    state = reduceFinished(state, { generationId: 'g1', message: message('a1', 'u1', { content: 'cut' }) });
    state = reduceStarted(state, { generationId: 'g2', answer: streaming('a2') });
    state = reduceFrames(state, [frame('g1', 'LATE'), frame('g2', 'new', 'a2')]);
    expect(runFor(state, 'a1')).toBeNull();
    expect(runFor(state, 'a2')?.content.text).toBe('new');
  });

  test('is still from the moment stop was asked for', () => {
    const state = reduceFrames(reduceStopping(reduceFrames(started(), [frame('g1', 'a')]), 'g1'), [frame('g1', 'b')]);
    expect(runFor(state, 'a1')?.content.text).toBe('a');
  });

  test('keeps frames that came before the reply to its own send', () => {
    let state = reduceFrames(opened(), [frame('g1', 'early ')]);
    state = reduceStarted(state, { generationId: 'g1', user: message('u1', null), answer: streaming('a1') });
    state = reduceFrames(state, [frame('g1', 'bird')]);
    expect(runFor(state, 'a1')?.content.text).toBe('early bird');
  });

  test('stays finished when the reply to its send comes last', () => {
    const answer = message('a1', 'u1', { content: 'done' });
    let state = reduceFinished(opened(), { generationId: 'g1', message: answer });
    state = reduceStarted(state, { generationId: 'g1', user: message('u1', null), answer: streaming('a1') });
    expect(state.open?.tree.byId['a1']?.content).toBe('done');
    expect(selectActiveRun(state)).toBeNull();
  });

  test('continues after the text it already had', () => {
    const cut = message('a1', 'u1', { content: 'Once ' });
    let state = reduceOpened(initialChat, chat([message('u1', null), cut], 'a1'));
    state = reduceStarted(state, { generationId: 'g2', answer: { ...cut, status: 'streaming' } });
    state = reduceFrames(state, [frame('g2', 'upon')]);
    expect(runFor(state, 'a1')?.content.text).toBe('Once upon');
  });

  test('is adopted after a reload of the page, with the text that was stored', () => {
    const partial = message('a1', 'u1', { content: 'so far', status: 'streaming' });
    const state = reduceOpened(initialChat, chat([message('u1', null), partial], 'a1'));
    expect(runFor(reduceFrames(state, [frame('g9', ', so good')]), 'a1')?.content.text).toBe('so far, so good');
  });

  test('shows how far the prompt has been read', () => {
    const state = reducePrefill(started(), {
      generationId: 'g1',
      chatId: 'c',
      messageId: 'a1',
      doneTokens: 3,
      totalTokens: 8,
      reusedTokens: 4,
      elapsedNs: 5,
    });
    expect(runFor(state, 'a1')?.prefill).toEqual({ doneTokens: 3, totalTokens: 8, reusedTokens: 4, elapsedNs: 5 });
  });
});

describe('the tree of messages', () => {
  const messages = [
    message('u1', null),
    message('a1', 'u1'),
    message('u2', 'a1'),
    message('a2', 'u2'),
    message('a3', 'u1'),
    message('u3', 'a3'),
  ];

  test('shows the path to the stored leaf', () => {
    expect(reduceOpened(initialChat, chat(messages, 'a2')).open?.path).toEqual(['u1', 'a1', 'u2', 'a2']);
  });

  test('switching a version shows the newest conversation below it', () => {
    const state = reduceOpened(initialChat, chat(messages, 'a2'));
    expect(reduceVersion(state, 'a3').open?.path).toEqual(['u1', 'a3', 'u3']);
    expect(reduceVersion(reduceVersion(state, 'a3'), 'a1').open?.path).toEqual(['u1', 'a1', 'u2', 'a2']);
  });

  test('opens a chat whose leaf or parent is missing', () => {
    expect(reduceOpened(initialChat, chat(messages, 'gone')).open?.path).toEqual(['u1', 'a3', 'u3']);
    const orphan = [message('u8', 'lost'), message('a8', 'u8')];
    expect(reduceOpened(initialChat, chat(orphan, 'a8')).open?.path).toEqual(['u8', 'a8']);
  });
});

describe('a chat that is asked for again', () => {
  const half = message('a1', 'u1', { content: 'Hello wor', status: 'streaming' });
  const question = message('u1', null);

  test('in the middle of an answer shows all of its text, and what follows once', () => {
    const joined = reduceFrames(opened(), [frame('g1', 'wor')]);
    const asked = reduceOpened(joined, chat([question, half], 'a1'));
    expect(runFor(asked, 'a1')?.content.text).toBe('Hello wor');
    expect(runFor(reduceFrames(asked, [frame('g1', 'ld')]), 'a1')?.content.text).toBe('Hello world');
  });

  test('follows what another window asked, keeps the draft here, and leaves a reader of another version there', () => {
    const before = reduceHead(reduceOpened(initialChat, chat([question, half], 'a1')), { draft: 'half a thought' });
    const elsewhere = { chatId: 'c', messageId: 'a2' };
    expect(isFromElsewhere(before, elsewhere)).toBe(true);
    expect(isFromElsewhere({ ...before, asking: { chatId: 'c', stop: false } }, elsewhere)).toBe(false);

    const next = [message('u2', 'a1'), message('a2', 'u2', { content: '', status: 'streaming' })];
    const followed = reduceOpened(before, chat([question, half, ...next], 'a2'));
    expect(followed.open).toMatchObject({ leafId: 'a2', draft: 'half a thought' });
    expect(isFromElsewhere(followed, elsewhere)).toBe(false);

    const other = message('a3', 'u1', { content: 'Another version', status: 'streaming' });
    expect(reduceOpened(before, chat([question, half, other], 'a3')).open?.leafId).toBe('a1');
  });
});
