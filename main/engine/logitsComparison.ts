/** How far one set of next-token distributions is from another, over the same text. */

export interface DistributionDistance {
  /** Positions compared. */
  readonly positions: number;
  /** Kullback-Leibler divergence from reference to candidate, in nats per position: 0 is identical. */
  readonly meanKl: number;
  readonly maxKl: number;
  /** Share of positions whose most likely token is the same. */
  readonly top1Agreement: number;
  /** Tokens of the text that were predicted. */
  readonly predictedTokens: number;
  /** exp of the mean negative log-likelihood of the text; null when it has no token to predict. */
  readonly referencePerplexity: number | null;
  readonly perplexity: number | null;
}

interface Row {
  readonly best: number;
  /** Natural log of the sum of exp(logit). */
  readonly logTotal: number;
}

function describeRow(logits: Float32Array): Row {
  let best = 0;
  let largest = -Infinity;
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i] ?? 0;
    if (logit > largest) {
      largest = logit;
      best = i;
    }
  }
  let total = 0;
  for (const logit of logits) total += Math.exp(logit - largest);
  return { best, logTotal: largest + Math.log(total) };
}

export class LogitsComparison {
  #positions = 0;
  #agreeing = 0;
  #sumKl = 0;
  #maxKl = 0;
  #predicted = 0;
  #referenceLoss = 0;
  #loss = 0;

  /** Logits [vocab] of one position, and the token that follows it in the text, null at the end. */
  add(reference: Float32Array, candidate: Float32Array, next: number | null): void {
    const expected = describeRow(reference);
    const got = describeRow(candidate);
    let kl = 0;
    for (let i = 0; i < reference.length; i++) {
      const logP = (reference[i] ?? 0) - expected.logTotal;
      kl += Math.exp(logP) * (logP - ((candidate[i] ?? 0) - got.logTotal));
    }
    this.#positions += 1;
    this.#sumKl += kl;
    this.#maxKl = Math.max(this.#maxKl, kl);
    if (expected.best === got.best) this.#agreeing += 1;
    if (next === null) return;
    this.#predicted += 1;
    this.#referenceLoss += expected.logTotal - (reference[next] ?? 0);
    this.#loss += got.logTotal - (candidate[next] ?? 0);
  }

  get result(): DistributionDistance {
    const perplexity = (loss: number) => (this.#predicted > 0 ? Math.exp(loss / this.#predicted) : null);
    return {
      positions: this.#positions,
      meanKl: this.#sumKl / this.#positions,
      maxKl: this.#maxKl,
      top1Agreement: this.#agreeing / this.#positions,
      predictedTokens: this.#predicted,
      referencePerplexity: perplexity(this.#referenceLoss),
      perplexity: perplexity(this.#loss),
    };
  }
}
