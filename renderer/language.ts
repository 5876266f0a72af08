/** Which language the page speaks. Chosen once, before anything is drawn; another choice takes a reload. */
import { languages } from '../main/contract/domain.ts';
import type { Language, LanguageChoice } from '../main/contract/domain.ts';

/** Any text in the place of a text, the same shape elsewhere: what another language has to be. */
export type Translated<T> = T extends string
  ? string
  : T extends (...values: infer Values) => string
    ? (...values: Values) => string
    : { readonly [K in keyof T]: Translated<T[K]> };

const key = 'nemoflash.language';

/** The words of the page are needed before main can say what the settings are, so the page keeps a copy. */
function storedChoice(): LanguageChoice {
  try {
    const stored = localStorage.getItem(key);
    return languages.find((language) => language === stored) ?? 'system';
  } catch {
    return 'system';
  }
}

/** The first language of the system that Nemoflash speaks, else English. */
export function languageOf(choice: LanguageChoice, system: readonly string[]): Language {
  if (choice !== 'system') return choice;
  for (const tag of system) {
    const known = languages.find((language) => language === tag.toLowerCase().split('-')[0]);
    if (known !== undefined) return known;
  }
  return 'en';
}

export const language: Language = languageOf(
  storedChoice(),
  typeof navigator === 'undefined' ? [] : navigator.languages,
);

/** Takes the choice over from the settings. True: the page speaks another language now and has to be loaded again. */
export function rememberLanguage(choice: LanguageChoice): boolean {
  if (choice === storedChoice()) return false;
  try {
    if (choice === 'system') localStorage.removeItem(key);
    else localStorage.setItem(key, choice);
  } catch {
    return false;
  }
  return languageOf(choice, navigator.languages) !== language;
}
