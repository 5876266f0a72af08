/** Settings as main keeps them, and what main says of the app. */
import { create } from 'zustand';

import { defaultSettings } from '../../main/contract/domain.ts';
import type { AppInfo, Settings } from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import type { Request } from '../../main/contract/ipc.ts';
import { request } from '../bridge.ts';
import { rememberLanguage } from '../language.ts';
import { errorInfo } from './errors.ts';

export interface SettingsState {
  readonly settings: Settings;
  readonly loaded: boolean;
  readonly info: AppInfo | null;
  readonly error: ErrorInfo | null;
}

export const useSettings = create<SettingsState>()(() => ({
  settings: defaultSettings,
  loaded: false,
  info: null,
  error: null,
}));

export function setSettings(settings: Settings): void {
  useSettings.setState({ settings, loaded: true });
  // Every word is drawn anew; what was typed is saved when the page goes.
  if (rememberLanguage(settings.language)) location.reload();
}

export async function loadSettings(): Promise<void> {
  try {
    const [settings, info] = await Promise.all([request('settings.get', {}), request('app.info', {})]);
    useSettings.setState({ info });
    setSettings(settings);
  } catch (thrown) {
    useSettings.setState({ error: errorInfo(thrown) });
  }
}

/** Shown at once; main's reply has the last word. */
export async function updateSettings(patch: Request<'settings.update'>): Promise<void> {
  const before = useSettings.getState().settings;
  useSettings.setState({ settings: { ...before, ...patch } as Settings, error: null });
  try {
    setSettings(await request('settings.update', patch));
  } catch (thrown) {
    useSettings.setState({ settings: before, error: errorInfo(thrown) });
  }
}

/** Read: it does not come again in this window. */
export function dismissNotice(notice: string): void {
  const { info } = useSettings.getState();
  if (info === null) return;
  useSettings.setState({ info: { ...info, notices: info.notices.filter((other) => other !== notice) } });
}
