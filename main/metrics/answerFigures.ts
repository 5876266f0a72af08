/** From the stamps of one answer to what is kept of it. Pure. */
import { stageClasses } from '../contract/metrics.ts';
import type { Anatomy, ClassTimes, Happening, WorstToken } from '../contract/metrics.ts';
import type { GeneratedToken } from '../engine/engineApi.ts';
import { median } from './statistics.ts';

const keptWorst = 10;

export interface Gap {
  /** Of the token that ends it. */
  readonly index: number;
  readonly ns: number;
}

/** Gaps between consecutive tokens, longest first. */
export function longestGaps(tokens: readonly GeneratedToken[]): readonly Gap[] {
  return tokens
    .slice(1)
    .map((token, index) => ({ index: index + 1, ns: token.stampNs - (tokens[index]?.stampNs ?? token.stampNs) }))
    .sort((a, b) => b.ns - a.ns || a.index - b.index)
    .slice(0, keptWorst);
}

/** `during` tells what else went on between two stamps. */
export function worstTokens(
  tokens: readonly GeneratedToken[],
  during: (fromNs: number, toNs: number) => readonly Happening[],
): readonly WorstToken[] {
  return longestGaps(tokens).flatMap(({ index, ns }) => {
    const token = tokens[index];
    if (token === undefined) return [];
    const { stampNs, forwardNs, sampleNs, classNs = null } = token;
    return [{ index, gapNs: ns, forwardNs, sampleNs, classNs, meanwhile: during(stampNs - ns, stampNs) }];
  });
}

/** null with fewer than two tokens, or where the device gives no class times. */
export function anatomyOf(tokens: readonly GeneratedToken[]): Anatomy | null {
  // The first token only samples; its forward pass was the prefill.
  const stamped = tokens
    .slice(1)
    .map((token) => token.classNs)
    .filter((classNs): classNs is ClassTimes => classNs !== undefined);
  const worstIndex = longestGaps(tokens)[0]?.index;
  const worst = worstIndex === undefined ? undefined : tokens[worstIndex]?.classNs;
  if (stamped.length === 0 || worst === undefined) return null;
  return {
    medianNs: stageClasses.map((_, column) => Math.round(median(stamped.map((classNs) => classNs[column] ?? 0)))),
    worstNs: worst,
  };
}
