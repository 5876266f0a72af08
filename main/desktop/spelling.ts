/** Chromium fetches a dictionary by itself once spelling is checked; like every request it is told of. */
import type { Session } from 'electron';

import type { NetworkRequest } from '../contract/domain.ts';

/** Where Chromium gets dictionaries from; Electron tells neither the address nor the size. */
const dictionaryHost = 'redirector.gvt1.com';

export function noteDictionaries(session: Session, note: (request: NetworkRequest) => void): void {
  const begun = new Map<string, number>();
  const end = (language: string, problem: string | null): void => {
    const at = begun.get(language) ?? Date.now();
    begun.delete(language);
    const durationMs = Date.now() - at;
    note({ at, host: dictionaryHost, purpose: 'dictionary', status: null, receivedBytes: 0, durationMs, problem });
  };
  session.on('spellcheck-dictionary-download-begin', (_event, language) => void begun.set(language, Date.now()));
  session.on('spellcheck-dictionary-download-success', (_event, language) => end(language, null));
  session.on('spellcheck-dictionary-download-failure', (_event, language) => end(language, 'failed'));
}
