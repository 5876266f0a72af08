import { describe, expect, it } from 'vitest';

import { LogitsComparison } from '../../../main/engine/logitsComparison.ts';

const logitsOf = (...probabilities: readonly number[]) => Float32Array.from(probabilities, Math.log);

describe('comparing next-token distributions', () => {
  it('the same distribution is at distance 0, however its logits are shifted', () => {
    const comparison = new LogitsComparison();
    const row = logitsOf(0.7, 0.2, 0.1);
    comparison.add(
      row,
      row.map((logit) => logit + 5),
      1,
    );
    expect(comparison.result.meanKl).toBeCloseTo(0, 6);
    expect(comparison.result.top1Agreement).toBe(1);
    expect(comparison.result.perplexity).toBeCloseTo(5, 4);
  });

  it('gives the divergence, the agreement and both perplexities', () => {
    const comparison = new LogitsComparison();
    comparison.add(logitsOf(0.5, 0.25, 0.25), logitsOf(0.25, 0.5, 0.25), 0);
    comparison.add(logitsOf(0.5, 0.25, 0.25), logitsOf(0.5, 0.25, 0.25), null);
    const { positions, meanKl, maxKl, top1Agreement, predictedTokens, perplexity, referencePerplexity } =
      comparison.result;
    // 0.5 ln 2 - 0.25 ln 2 at one position of two.
    expect(maxKl).toBeCloseTo(0.25 * Math.log(2), 6);
    expect(meanKl).toBeCloseTo(0.125 * Math.log(2), 6);
    expect([positions, predictedTokens, top1Agreement]).toEqual([2, 1, 0.5]);
    expect(referencePerplexity).toBeCloseTo(2, 5);
    expect(perplexity).toBeCloseTo(4, 5);
  });

  it('is not finite where a logit is not', () => {
    const comparison = new LogitsComparison();
    comparison.add(logitsOf(0.5, 0.5), Float32Array.of(Number.NaN, 0), 0);
    expect(comparison.result.meanKl).toBeNaN();
  });

  it('has no perplexity without a token to predict', () => {
    const comparison = new LogitsComparison();
    comparison.add(logitsOf(0.5, 0.5), logitsOf(0.5, 0.5), null);
    expect(comparison.result.perplexity).toBeNull();
  });
});
