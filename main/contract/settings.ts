/** What the user has chosen, and what holds before that. */
import { apiPortRange } from './api.ts';
import type { ApiSettings } from './api.ts';
import type { DeviceKind, WeightFormat } from './device.ts';
import { contextRange } from './engine.ts';
import type { HubSettings } from './hub.ts';
import { defaultSampling } from './sampling.ts';
import type { SamplingOptions } from './sampling.ts';

export const languages = ['en', 'de'] as const;
export type Language = (typeof languages)[number];
export const languageChoices = ['system', ...languages] as const;
export type LanguageChoice = (typeof languageChoices)[number];

/** Sampling options under a name. */
export interface SamplingPreset {
  /** Unique among the user's presets. */
  readonly name: string;
  readonly sampling: SamplingOptions;
}
export const maxPresets = 50;
export const maxPresetName = 60;

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

/** ask: the user was not asked yet, and nothing is fetched before. */
export const updateChoices = ['ask', 'on', 'off'] as const;
export type UpdateChoice = (typeof updateChoices)[number];

/** How the installed app behaves on this computer. */
export interface DesktopSettings {
  /** Closing the window leaves Nemoflash in the tray. */
  readonly tray: boolean;
  /** The page is drawn by the CPU, so that all of the GPU's memory is the model's. From the next start on. */
  readonly softwareRendering: boolean;
  /** Its dictionary may be fetched from the network once. From the next start on. */
  readonly spellCheck: boolean;
}

export interface Settings {
  readonly theme: Theme;
  /** Of the page. system: the first of the system's languages that there is, else English. */
  readonly language: LanguageChoice;
  readonly modelId: string | null;
  readonly device: DeviceKind | 'auto';
  readonly format: WeightFormat | 'auto';
  readonly contextPositions: number;
  readonly modelsFolder: string | null;
  readonly sampling: SamplingOptions;
  readonly systemPrompt: string;
  readonly presets: readonly SamplingPreset[];
  /** The message being typed is read meanwhile, so that the answer begins at once. Off on battery. */
  readonly prefillWhileTyping: boolean;
  /** Alternatives remembered for each token of an answer, for the token inspector; 0: none. */
  readonly logprobs: number;
  readonly railOpen: boolean;
  readonly drawerOpen: boolean;
  readonly hub: HubSettings;
  readonly api: ApiSettings;
  readonly desktop: DesktopSettings;
  readonly updates: UpdateChoice;
  /** The first steps were shown, or skipped. */
  readonly tourSeen: boolean;
  readonly acceptedLicences: readonly { readonly repo: string; readonly revision: string; readonly at: number }[];
}

export const defaultSettings: Settings = {
  theme: 'system',
  language: 'system',
  modelId: null,
  device: 'auto',
  format: 'auto',
  contextPositions: contextRange.default,
  modelsFolder: null,
  sampling: defaultSampling,
  systemPrompt: '',
  presets: [],
  prefillWhileTyping: false,
  logprobs: 0,
  railOpen: true,
  drawerOpen: false,
  hub: { offline: false, endpoint: null, proxy: null, noProxy: null, caFile: null },
  api: { enabled: false, port: apiPortRange.default },
  desktop: { tray: false, softwareRendering: false, spellCheck: false },
  updates: 'ask',
  tourSeen: false,
  acceptedLicences: [],
};
