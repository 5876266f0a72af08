/** What crosses the two transports, for both ends of each: Electron's channel names and the web shell's frames. */
import type { Envelope } from './errors.ts';

/** Electron's two channels: page to main (invoke) and main to page. */
export const requestChannel = 'nf:request';
export const eventChannel = 'nf:event';

/** Where the web shell's page opens its WebSocket. Frames are JSON texts. */
export const socketPath = '/bridge';

/** Page to main. `id` is the page's own, unique among its open requests. */
export interface RequestFrame {
  readonly id: number;
  readonly route: string;
  readonly input: unknown;
}

/** Main to page. `id` is null when the refused frame was too broken to have one. */
export interface ReplyFrame {
  readonly id: number | null;
  readonly envelope: Envelope<unknown>;
}

/** Main to page. */
export interface EventFrame {
  readonly event: string;
  readonly payload: unknown;
}

export type MainFrame = ReplyFrame | EventFrame;

/** The closing code of a socket whose page has no session; trying again will not help. */
export const closedWithoutSession = 4401;
