import { describe, expect, it } from 'vitest';

import { interTokenNs, percentiles } from '../../../main/engine/stats.ts';
import { StopStrings } from '../../../main/engine/stopStrings.ts';
import { TextStream } from '../../../main/engine/textStream.ts';
import { randomOf } from '../../support/random.ts';

/** The whole text at once: what the pieces must add up to. */
function cutAtFirstStop(text: string, stops: readonly string[]): { text: string; stopped: boolean } {
  const starts = stops.map((stop) => text.indexOf(stop)).filter((start) => start >= 0);
  return starts.length === 0 ? { text, stopped: false } : { text: text.slice(0, Math.min(...starts)), stopped: true };
}

describe('stop strings', () => {
  it('pieces add up to the text before the first stop, for any cutting', () => {
    for (let seed = 0; seed < 3000; seed += 1) {
      const random = randomOf(seed);
      const word = (length: number) => Array.from({ length }, () => random.pick(['a', 'b', 'é', '\n'])).join('');
      const stops = Array.from({ length: 1 + random.below(3) }, () => word(1 + random.below(4)));
      const text = word(random.below(30));
      const matcher = new StopStrings(stops);
      let emitted = '';
      let consumed = 0;
      let stopped = false;
      while (consumed < text.length && !stopped) {
        const length = 1 + random.below(5);
        const piece = matcher.push(text.slice(consumed, consumed + length));
        consumed += length;
        emitted += piece.text;
        stopped = piece.stop !== null;
        // Never ahead of what is certain, whatever comes next.
        expect(text.startsWith(emitted)).toBe(true);
        if (!stopped) for (const stop of stops) expect(emitted.includes(stop), `seed ${seed}`).toBe(false);
      }
      if (!stopped) emitted += matcher.flush();
      // A longer piece may show an earlier stop than single characters would: compare with what was consumed.
      const expected = cutAtFirstStop(text.slice(0, consumed), stops);
      expect({ text: emitted, stopped }, `seed ${seed}: ${JSON.stringify({ stops, text })}`).toEqual(expected);
    }
  });

  it('holds back the start of a stop string and gives it when it came to nothing', () => {
    const matcher = new StopStrings(['\nUser:']);
    expect(matcher.push('Hello\nUs')).toEqual({ text: 'Hello', stop: null });
    expect(matcher.push('age')).toEqual({ text: '\nUsage', stop: null });
    expect(matcher.push('\n')).toEqual({ text: '', stop: null });
    expect(matcher.flush()).toBe('\n');
  });

  it('ignores empty stop strings', () => {
    expect(new StopStrings(['']).push('text')).toEqual({ text: 'text', stop: null });
  });
});

describe('text stream', () => {
  const bytesAsTokens = (text: string) => [...Buffer.from(text)];
  const streamOfBytes = () => new TextStream((token) => Uint8Array.of(token));

  it('gives a character when its last byte came, for characters of every length', () => {
    for (const text of ['aé€😀', '\uFEFFx', '👩‍👩‍👧 ok']) {
      const stream = streamOfBytes();
      const pieces = bytesAsTokens(text).map((token) => stream.push(token));
      expect(pieces.join('')).toBe(text);
      for (const piece of pieces) expect(piece).not.toContain('\uFFFD');
    }
  });

  it('shows bytes that can never be a character, and goes on', () => {
    const stream = streamOfBytes();
    expect([0xff, 0x61, 0xe2, 0x62].map((token) => stream.push(token)).join('')).toBe('\uFFFDa\uFFFDb');
  });
});

describe('statistics', () => {
  it('percentiles are measured values, by nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentiles(values)).toEqual({ p50: 50, p95: 95, p99: 99, max: 100 });
    expect(percentiles([7])).toEqual({ p50: 7, p95: 7, p99: 7, max: 7 });
    expect(percentiles([])).toBeNull();
  });

  it('gaps are between consecutive tokens', () => {
    const tokens = [10, 30, 35].map((stampNs) => ({ stampNs, forwardNs: 0, sampleNs: 0 }));
    expect(interTokenNs(tokens)).toEqual([20, 5]);
    expect(interTokenNs(tokens.slice(0, 1))).toEqual([]);
  });
});
