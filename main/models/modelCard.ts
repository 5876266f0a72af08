/** What a model card (README.md) says of the licence. The front matter is YAML; the few keys we read are plain lines. */
import type { RepoDescription } from '../contract/domain.ts';

type Licence = RepoDescription['licence'];

interface CardKeys {
  readonly license?: string | undefined;
  readonly license_name?: string | undefined;
  readonly license_link?: string | undefined;
}

/** The top-level `key: value` lines between the two --- of the front matter, and the text after it. */
export function splitCard(card: string): { readonly keys: CardKeys; readonly body: string } {
  const match = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(card);
  if (!match) return { keys: {}, body: card };
  const keys: Record<string, string> = {};
  const lines = (match[1] ?? '').split(/\r?\n/);
  for (const [index, line] of lines.entries()) {
    const pair = /^(license|license_name|license_link):[ \t]*(.*)$/.exec(line);
    if (!pair?.[1]) continue;
    // A list of licences: its first entry.
    const value = pair[2] === '' ? (/^[ \t]*-[ \t]*(.*)$/.exec(lines[index + 1] ?? '')?.[1] ?? '') : (pair[2] ?? '');
    keys[pair[1]] = unquote(value.trim());
  }
  return { keys, body: card.slice(match[0].length) };
}

const unquote = (value: string) => /^(["'])(.*)\1$/.exec(value)?.[2] ?? value;

/** The sections of a card whose heading speaks of licence or terms; empty when there is none. */
export function licenceSections(body: string): string {
  const lines = body.split(/\r?\n/);
  const kept: string[] = [];
  let depth = 0;
  for (const line of lines) {
    const heading = /^(#{1,6})[ \t]+(.*)$/.exec(line);
    if (heading?.[1] && (depth === 0 || heading[1].length <= depth)) {
      depth = /licen[cs]e|terms of use|governing terms/i.test(heading[2] ?? '') ? heading[1].length : 0;
    }
    if (depth > 0) kept.push(line);
  }
  return kept.join('\n').trim();
}

/**
 * The licence as the repository states it: the text of its licence file, else what its card says about it, else the
 * card. `base` is the address that relative links are resolved against.
 */
export function readLicence(card: string, licenceFile: string | null, base: string): Licence {
  const { keys, body } = splitCard(card);
  const id = keys.license || 'unknown';
  const text = licenceFile?.trim() || licenceSections(body) || body.trim();
  return {
    id,
    name: keys.license_name || id,
    link: webLink(keys.license_link, base),
    text: text || 'The repository says nothing about its licence. Look at its page before you accept.',
  };
}

function webLink(link: string | undefined, base: string): string | null {
  if (!link) return null;
  const url = URL.parse(link, base);
  return url && /^https?:$/.test(url.protocol) ? url.href : null;
}
