/** The few settings that are needed before the window: read plainly, since the first paint must not wait for more. */
import { readFileSync } from 'node:fs';

import { defaultSettings } from '../contract/domain.ts';
import type { DesktopSettings, Theme } from '../contract/domain.ts';
import { isRecord } from '../tolerant.ts';

export interface StartSettings extends DesktopSettings {
  readonly theme: Theme;
}

/** Whatever cannot be read has its usual value; the services read the file again and say what was wrong. */
export function readStartSettings(settingsFile: string): StartSettings {
  const { desktop: usual, theme } = defaultSettings;
  let raw: unknown;
  try {
    raw = JSON.parse(readFileSync(settingsFile, 'utf8'));
  } catch {
    return { ...usual, theme };
  }
  const fields = isRecord(raw) ? raw : {};
  const desktop = isRecord(fields['desktop']) ? fields['desktop'] : {};
  const choice = (key: keyof DesktopSettings): boolean => {
    const value = desktop[key];
    return typeof value === 'boolean' ? value : usual[key];
  };
  const hub = isRecord(fields['hub']) ? fields['hub'] : {};
  // Only macOS has dictionaries of its own; elsewhere one would be fetched.
  const maySpell = process.platform === 'darwin' || hub['offline'] !== true;
  const named = fields['theme'];
  return {
    tray: choice('tray'),
    softwareRendering: choice('softwareRendering'),
    spellCheck: choice('spellCheck') && maySpell,
    theme: named === 'light' || named === 'dark' ? named : theme,
  };
}
