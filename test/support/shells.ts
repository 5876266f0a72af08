/** The three ways in which a page of the app comes to a test: Electron's double, Electron itself, the web shell. */
import type { Page } from 'playwright-core';

/** What the scenarios need of a running app, whatever shows it. */
export interface Shell {
  readonly page: Page;
  /** Errors on the page's console and uncaught exceptions, since the start. */
  readonly problems: readonly string[];
  /** Addresses that were handed to the system's browser. */
  openedOutside(): Promise<readonly string[]>;
  /** Asks main as the page does; the answer is an envelope. */
  ask(route: string, input: unknown): Promise<unknown>;
  close(): Promise<void>;
}

export interface StartOptions {
  readonly home: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface ShellKind {
  /** Says why it is skipped when it is. */
  readonly title: string;
  readonly skipped: boolean;
  /** Whether the window is ours: where it may go and what it may open is then our business, not a browser's. */
  readonly ownsWindow: boolean;
  start(options: StartOptions): Promise<Shell>;
}

/** In the page under Electron. */
export async function askBridge(page: Page, route: string, input: unknown): Promise<unknown> {
  return page.evaluate(`window.bridge.request(${JSON.stringify(route)}, ${JSON.stringify(input)})`);
}
