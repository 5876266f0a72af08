/** Reading what an older, newer or damaged version wrote: each bad value falls back alone, and is named. */
import type { z } from 'zod';

export interface TolerantResult<T> {
  readonly value: T;
  /** One line per value that was not usable. */
  readonly problems: readonly string[];
}

type Shape = Readonly<Record<string, z.ZodType>>;

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads the keys of `shape` one by one. A missing key takes its default in silence, a bad one with a problem. */
export function readPerKey<T extends object>(
  shape: Shape,
  raw: unknown,
  defaults: T,
  where: string,
): TolerantResult<T> {
  if (!isRecord(raw)) return { value: defaults, problems: [`${where} is not an object`] };
  const value: Record<string, unknown> = Object.fromEntries(Object.entries(defaults));
  const problems: string[] = [];
  for (const [key, schema] of Object.entries(shape)) {
    if (raw[key] === undefined) continue;
    try {
      const parsed = schema.safeParse(raw[key]);
      if (parsed.success) value[key] = parsed.data;
      else problems.push(`${where}.${key}: ${parsed.error.issues[0]?.message ?? 'not usable'}`);
    } catch {
      // Comparing an object that has its own toString with a number throws.
      problems.push(`${where}.${key}: not usable`);
    }
  }
  return { value: value as T, problems };
}
