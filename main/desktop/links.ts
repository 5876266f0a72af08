/** nemoflash:// links. They open a model's page and do nothing else: whoever made one may be anybody. */
import type { OpenRequest } from '../contract/domain.ts';

export const linkScheme = 'nemoflash';

/** nemoflash://models/OWNER/NAME; null for everything else. */
export function readLink(text: string): OpenRequest | null {
  const match = /^nemoflash:\/\/models\/([\w-][\w.-]{0,95}\/[\w-][\w.-]{0,95})\/?$/i.exec(text);
  return match?.[1] === undefined ? null : { page: 'models', repo: match[1] };
}

/** The link on a command line, as Windows and Linux hand it over. */
export function linkIn(args: readonly string[]): OpenRequest | null {
  const text = args.find((arg) => arg.toLowerCase().startsWith(`${linkScheme}://`));
  return text === undefined ? null : readLink(text);
}
