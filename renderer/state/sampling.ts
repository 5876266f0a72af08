/** Pure functions on sampling options: what differs from the default, what is in range, ready-made choices. */
import { defaultSampling, samplingRanges } from '../../main/contract/domain.ts';
import type { SamplingNumber, SamplingOptions } from '../../main/contract/domain.ts';

/** Into the range and onto the step, without the noise of binary fractions. */
export function toRange(name: SamplingNumber, value: number): number {
  const { min, max, step, default: initial } = samplingRanges[name];
  if (!Number.isFinite(value)) return initial;
  const clamped = Math.min(max, Math.max(min, value));
  // Whole numbers stay whole; fractions may be finer than the slider's step.
  return step >= 1 ? Math.round(clamped) : Number(clamped.toFixed(4));
}

export function differs(options: SamplingOptions, name: keyof SamplingOptions): boolean {
  const value = options[name];
  const initial = defaultSampling[name];
  return Array.isArray(value) ? value.length > 0 : value !== initial;
}

export function differences(options: SamplingOptions): readonly (keyof SamplingOptions)[] {
  return (Object.keys(defaultSampling) as (keyof SamplingOptions)[]).filter((name) => differs(options, name));
}

export const presetNames = ['default', 'exact', 'steady', 'free'] as const;
export type PresetName = (typeof presetNames)[number];

type Randomness = Pick<SamplingOptions, 'temperature' | 'topK' | 'topP' | 'minP'>;
const { temperature, topK, topP, minP } = defaultSampling;

/** Presets set the randomness and leave the rest alone. */
export const presets: Readonly<Record<PresetName, Randomness>> = {
  default: { temperature, topK, topP, minP },
  exact: { temperature: 0, topK, topP, minP },
  steady: { temperature: 0.6, topK, topP, minP },
  free: { temperature: 1.3, topK, topP: 1, minP: 0.05 },
};

/** null: the options are nobody's preset. */
export function presetOf(options: SamplingOptions): PresetName | null {
  return (
    presetNames.find((name) => {
      const preset = presets[name];
      return (Object.keys(preset) as (keyof Randomness)[]).every((key) => preset[key] === options[key]);
    }) ?? null
  );
}
