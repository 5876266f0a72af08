/** The user's settings: validated, written atomically, tolerant of what other versions wrote. */
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';

import { z } from 'zod';

import { writeFileAtomic } from './atomicFile.ts';
import { defaultSettings } from './contract/domain.ts';
import type { SamplingPreset, Settings } from './contract/domain.ts';
import { AppError } from './contract/errors.ts';
import { samplingSchema, settingsPatchSchema } from './contract/ipcSchemas.ts';
import { isRecord, readPerKey } from './tolerant.ts';

const licencesSchema = z.array(z.object({ repo: z.string().min(1), revision: z.string().min(1), at: z.int().min(0) }));

/** Groups are read field by field, so that one bad number does not reset the other ten. */
const { sampling: _sampling, hub, api, desktop, ...plain } = settingsPatchSchema.shape;
/** One preset that cannot be read costs the others nothing. */
const presetsSchema = z.array(z.unknown()).transform((presets) => presets.flatMap(readPreset));
const shape = { ...plain, presets: presetsSchema, acceptedLicences: licencesSchema };
const groups = {
  sampling: samplingSchema.shape,
  hub: hub.unwrap().shape,
  api: api.unwrap().shape,
  desktop: desktop.unwrap().shape,
} as const;

function readPreset(raw: unknown): readonly SamplingPreset[] {
  if (!isRecord(raw) || typeof raw['name'] !== 'string') return [];
  const { value } = readPerKey(samplingSchema.shape, raw['sampling'], defaultSettings.sampling, 'preset');
  return [{ name: raw['name'], sampling: value }];
}

/** What settings.update takes: a key that is missing or undefined stays as it is. */
export type SettingsPatch = { readonly [K in keyof z.output<typeof settingsPatchSchema>]?: Settings[K] | undefined };

interface ReadSettings {
  readonly settings: Settings;
  /** Keys of newer versions: kept, so that going back and forth between versions loses nothing. */
  readonly unknown: Readonly<Record<string, unknown>>;
  readonly problems: readonly string[];
}

/** Bad values fall back one by one and are reported; nothing throws. */
export function readSettings(raw: unknown): ReadSettings {
  const top = readPerKey(shape, raw, defaultSettings, 'settings');
  const fields = isRecord(raw) ? raw : {};
  const group = <K extends keyof typeof groups>(key: K) =>
    readPerKey<Settings[K]>(groups[key], fields[key] ?? {}, defaultSettings[key], `settings.${key}`);
  const sampling = group('sampling');
  const hub = group('hub');
  const api = group('api');
  const desktop = group('desktop');
  return {
    settings: { ...top.value, sampling: sampling.value, hub: hub.value, api: api.value, desktop: desktop.value },
    unknown: Object.fromEntries(Object.entries(fields).filter(([key]) => !(key in defaultSettings))),
    problems: [...top.problems, ...sampling.problems, ...hub.problems, ...api.problems, ...desktop.problems],
  };
}

function noticeOf(problems: readonly string[]): string | null {
  if (problems.length === 0) return null;
  const keys = problems.map((problem) => problem.replace(/:.*$/s, '').replace(/^settings\./, ''));
  return `Some settings could not be read and have their usual values now: ${keys.join(', ')}.`;
}

function withoutUndefined(patch: SettingsPatch): Partial<Settings> {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
}

export class SettingsStore {
  readonly #file: string;
  readonly #unknown: Readonly<Record<string, unknown>>;
  readonly #listeners = new Set<(settings: Settings) => void>();
  #current: Settings;
  /** Updates wait for each other, so that none writes over another. */
  #queue: Promise<unknown> = Promise.resolve();

  /** What was not usable when the file was read, one line each, for the log. Empty when all was well. */
  readonly problems: readonly string[];
  /** The same in a sentence for the user; null when all was well. */
  readonly notice: string | null;

  private constructor(file: string, read: ReadSettings, notice: string | null = noticeOf(read.problems)) {
    this.#file = file;
    this.#current = read.settings;
    this.#unknown = read.unknown;
    this.problems = read.problems;
    this.notice = notice;
  }

  /** Reads the file. A missing one means defaults; a damaged one is moved to `damagedFolder` and reported. */
  static openSync(file: string, damagedFolder: string): SettingsStore {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return new SettingsStore(file, readSettings({}));
      throw new AppError('DISK', `The settings in ${file} cannot be read. Check who may read the file.`, { cause });
    }
    try {
      const raw: unknown = JSON.parse(text);
      if (isRecord(raw)) return new SettingsStore(file, readSettings(raw));
    } catch {
      // Not JSON: handled like JSON that is not an object.
    }
    const aside = setAsideSync(file, damagedFolder);
    const problem = `The settings were damaged and start afresh. The old file is kept as ${aside}.`;
    return new SettingsStore(file, { ...readSettings({}), problems: [problem] }, problem);
  }

  get current(): Settings {
    return this.#current;
  }

  /** Takes effect once it is on disk; throws DISK and changes nothing when it cannot be written. */
  update(patch: SettingsPatch): Promise<Settings> {
    return this.#change((settings) => ({ ...settings, ...withoutUndefined(patch) }));
  }

  /** Remembers that the user accepted a licence. Accepting the same revision again keeps the first date. */
  acceptLicence(repo: string, revision: string, at: number): Promise<Settings> {
    return this.#change((settings) => {
      const known = settings.acceptedLicences.some((entry) => entry.repo === repo && entry.revision === revision);
      return known
        ? settings
        : { ...settings, acceptedLicences: [...settings.acceptedLicences, { repo, revision, at }] };
    });
  }

  /** Returns the function that ends the subscription. */
  onChange(listener: (settings: Settings) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #change(edit: (settings: Settings) => Settings): Promise<Settings> {
    const change = this.#queue.then(async () => {
      const next = edit(this.#current);
      if (next === this.#current) return next;
      try {
        await writeFileAtomic(this.#file, `${JSON.stringify({ ...this.#unknown, ...next }, null, 2)}\n`);
      } catch (cause) {
        const code = (cause as NodeJS.ErrnoException).code;
        throw new AppError(
          code === 'ENOSPC' ? 'DISK_FULL' : 'DISK',
          `The settings could not be saved to ${this.#file} (${code ?? 'unknown reason'}). Nothing was changed.`,
          { retryable: true, cause },
        );
      }
      this.#current = next;
      for (const listener of this.#listeners) listener(next);
      return next;
    });
    this.#queue = change.catch(() => undefined);
    return change;
  }
}

function setAsideSync(file: string, damagedFolder: string): string {
  const stamp = new Date().toISOString().replaceAll(':', '-');
  const aside = path.join(damagedFolder, `settings-${stamp}.json`);
  mkdirSync(damagedFolder, { recursive: true, mode: 0o700 });
  renameSync(file, aside);
  return aside;
}
