/** Did answers become slower or faster since the app or the driver changed, by more than they usually differ? */
import type { Environment, Regression } from '../contract/metrics.ts';
import { changedFields, isComparable } from './environment.ts';
import { median } from './statistics.ts';

/** Fewer answers than this say nothing about what is usual. */
const minAnswers = 5;
/** Scales the median absolute deviation to the standard deviation of normal values (Rousseeuw and Croux, 1993). */
const madToSigma = 1.4826;
const usualSigmas = 3;
/** Below this nobody notices, however steady the machine. */
const minShare = 0.02;

export interface MeasuredMedians {
  readonly environment: Environment;
  /** Median ITL of each answer. */
  readonly itlNs: readonly number[];
}

/**
 * `current` against the newest comparable environment of `earlier` (newest first); null when nothing comparable is
 * there, too little was measured, or the medians lie within the usual spread.
 */
export function findRegression(current: MeasuredMedians, earlier: readonly MeasuredMedians[]): Regression | null {
  const before = earlier.find(
    ({ environment, itlNs }) =>
      environment.hash !== current.environment.hash &&
      isComparable(environment, current.environment) &&
      itlNs.length >= minAnswers,
  );
  if (before === undefined || current.itlNs.length < minAnswers) return null;
  const beforeNs = median(before.itlNs);
  const afterNs = median(current.itlNs);
  const deviation = (values: readonly number[], centre: number): number =>
    median(values.map((value) => Math.abs(value - centre)));
  const usual = Math.max(deviation(before.itlNs, beforeNs), deviation(current.itlNs, afterNs));
  const spreadNs = Math.max(usualSigmas * madToSigma * usual, minShare * beforeNs);
  if (Math.abs(afterNs - beforeNs) <= spreadNs) return null;
  return {
    before: before.environment,
    after: current.environment,
    changed: changedFields(before.environment, current.environment),
    beforeNs,
    afterNs,
    spreadNs,
    answersBefore: before.itlNs.length,
    answersAfter: current.itlNs.length,
  };
}
