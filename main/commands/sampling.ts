/** Sampling settings on the command line, with the ranges and defaults of the contract. */
import type { Command } from 'commander';

import { defaultSampling, maxSeed, samplingRanges } from '../contract/domain.ts';
import type { SamplingNumber, SamplingOptions } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { makeHomeSync, resolveHome } from '../home.ts';
import { SettingsStore } from '../settings.ts';
import { decimal, wholeNumber } from './withEngine.ts';

export interface SamplingFlags extends Partial<Readonly<Record<SamplingNumber, number>>> {
  readonly seed?: number;
  readonly stop?: readonly string[];
  readonly preset?: string;
  readonly home?: string;
}

const flags: readonly (readonly [name: SamplingNumber, flag: string, what: string])[] = [
  ['temperature', '--temperature', 'how freely to choose; 0 takes the likeliest token'],
  ['topK', '--top-k', 'choose among so many tokens; 0: all'],
  ['topP', '--top-p', 'choose among the likeliest that together have this probability'],
  ['minP', '--min-p', 'leave out tokens less likely than this share of the likeliest'],
  ['repetitionPenalty', '--repetition-penalty', 'make what was said or asked less likely; 1: off'],
  ['frequencyPenalty', '--frequency-penalty', 'make what was said less likely, for each time'],
  ['presencePenalty', '--presence-penalty', 'make what was said less likely, once'],
  ['maxNewTokens', '--max-new-tokens', 'end the answer after so many tokens'],
];

export function addSamplingOptions(command: Command): Command {
  for (const [name, flag, what] of flags) {
    const { min, max, step } = samplingRanges[name];
    const parse = Number.isInteger(step) ? wholeNumber(min, max) : decimal(min, max);
    command.option(`${flag} <number>`, `${what} (${min} to ${max}, default: ${samplingRanges[name].default})`, parse);
  }
  return command
    .option('--seed <number>', 'the same seed gives the same answer (default: a fresh one)', wholeNumber(0, maxSeed))
    .option('--stop <text...>', 'end the answer before this text')
    .option('--preset <name>', 'sampling as it was saved in the app under this name; the options above change it');
}

/** Throws NOT_FOUND for a preset that is not there, with the names that are. */
function presetOf(name: string, homeFolder: string | undefined): SamplingOptions {
  const home = makeHomeSync(resolveHome(homeFolder));
  const { presets } = SettingsStore.openSync(home.settingsFile, home.damagedFolder).current;
  const found = presets.find((preset) => preset.name === name);
  if (found !== undefined) return found.sampling;
  const names = presets.map((preset) => `"${preset.name}"`).join(', ');
  throw new AppError(
    'NOT_FOUND',
    `There is no preset "${name}". ${names === '' ? 'Presets are saved in the app, beside a chat.' : `There are ${names}.`}`,
  );
}

/** What the flags say, over the preset, over the defaults. Throws NOT_FOUND. */
export function samplingOf(given: SamplingFlags): SamplingOptions {
  const numbers = flags.flatMap(([name]) => (given[name] === undefined ? [] : [[name, given[name]]]));
  const before = given.preset === undefined ? defaultSampling : presetOf(given.preset, given.home);
  return {
    ...before,
    ...(Object.fromEntries(numbers) as Partial<SamplingOptions>),
    seed: given.seed ?? before.seed,
    stop: given.stop ?? before.stop,
  };
}
