/** Stage classes as the charts show them: one order, one colour each, everywhere. */
import { stageClasses } from '../../../main/contract/metrics.ts';
import type { ClassTimes, Stage, StageClass } from '../../../main/contract/metrics.ts';

export type Share = StageClass | 'rest';
export const shares: readonly Share[] = [...stageClasses, 'rest'];

export const colourOf = (share: Share): string => `var(--stage-${share})`;

/** A gap split into its stage classes and what they leave of it. Never negative: the clocks of a stage and of a gap differ. */
export function partsOf(classNs: ClassTimes, gapNs: number): readonly { readonly share: Share; readonly ns: number }[] {
  const known = classNs.reduce((sum, ns) => sum + ns, 0);
  return shares.map((share, index) => ({
    share,
    ns: share === 'rest' ? Math.max(0, gapNs - known) : (classNs[index] ?? 0),
  }));
}

/** Bytes that one token moves in each class, in the order of stageClasses. */
export function bytesByClass(stages: readonly Stage[]): readonly number[] {
  return stageClasses.map((stageClass) =>
    stages
      .filter((stage) => stage.stageClass === stageClass)
      .reduce((sum, stage) => sum + stage.weightBytes + stage.stateBytes, 0),
  );
}
