/** What the installed program is asked to do by its command line: show the window, or run one command without it. */
import { parseArgs } from 'node:util';

/** The same words as in cli.ts, which is loaded only when one of them is said. */
export const commandNames: readonly string[] = [
  'chat',
  'generate',
  'serve',
  'models',
  'chats',
  'bench',
  'logits',
  'quality',
  'devices',
  'help',
];

const ownSwitches = /^(-h|-V|--help|--version|--(home|model)(=.*)?|--safe-mode)$/;

export interface WindowStart {
  readonly kind: 'window';
  readonly home?: string;
  readonly model?: string;
  /** Started to get out of trouble. */
  readonly safeMode?: boolean;
  /** A nemoflash:// link, as it was handed over. */
  readonly link?: string;
}

export type StartRequest = WindowStart | { readonly kind: 'command'; readonly args: readonly string[] };

/**
 * `args`: the command line without the program. Chromium's switches may stand before a command, as a launcher puts them;
 * beside the window's own options they are ignored.
 */
export function readStart(args: readonly string[]): StartRequest {
  const first = args.findIndex((arg) => !arg.startsWith('-') || ownSwitches.test(arg));
  const word = args[first] ?? '';
  if (commandNames.includes(word) || /^(-h|-V|--help|--version)$/.test(word)) {
    return { kind: 'command', args: args.slice(first) };
  }
  const { values } = parseArgs({
    args: [...args],
    options: { home: { type: 'string' }, model: { type: 'string' }, 'safe-mode': { type: 'boolean' } },
    strict: false,
  });
  const { home, model } = values;
  return {
    kind: 'window',
    ...(typeof home === 'string' ? { home } : {}),
    ...(typeof model === 'string' ? { model } : {}),
    ...(values['safe-mode'] === true ? { safeMode: true } : {}),
    ...(/^nemoflash:\/\//i.test(word) ? { link: word } : {}),
  };
}
