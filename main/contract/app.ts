/** This start of the app, and its newer versions. */
import type { ErrorInfo } from './errors.ts';

export interface AppInfo {
  readonly version: string;
  readonly shell: 'electron' | 'web';
  readonly platform: string;
  readonly home: string;
  /** Whether app.pickFolder can show the system's dialog. */
  readonly canPickFolder: boolean;
  readonly hubEndpoint: string;
  /** What this start was asked to show; null: nothing in particular. */
  readonly startPage: OpenRequest | null;
  /** A model named on the command line, to be loaded at once. */
  readonly startModel: string | null;
  /** What the user should know of this start, in sentences: damaged files that were set aside, a crash before. */
  readonly notices: readonly string[];
  /** Started to get out of trouble: no model is loaded by itself. */
  readonly safeMode: boolean;
  /** Whether the model of the last time may be loaded without being asked for. */
  readonly loadsModel: boolean;
}

/** Where looking for a new version stands. */
export type UpdateStatus =
  | { readonly state: 'unsupported' | 'idle' | 'checking' | 'current' }
  | { readonly state: 'downloading'; readonly version: string; readonly share: number }
  | { readonly state: 'ready'; readonly version: string }
  | { readonly state: 'failed'; readonly error: ErrorInfo };

/** A page that something outside asked to see: the menu, or a nemoflash: link. */
export type OpenRequest =
  | { readonly page: 'settings' }
  /** Shown, never fetched by itself. */
  | { readonly page: 'models'; readonly repo: string };
