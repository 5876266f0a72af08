/** The words of the API page in German. */
import type { ApiStrings } from './apiStrings.ts';
import { count, fixed } from './format.ts';

export const germanApi: ApiStrings = {
  title: 'Lokale API',
  serve: 'Programme auf diesem Computer dürfen das Modell benutzen',
  serveHelp:
    'Sie sprechen damit wie mit der API von OpenAI. Von außerhalb dieses Computers ist es nicht zu erreichen, und von niemandem ohne den Schlüssel.',
  byShell: 'Angeboten von „nemoflash serve“, neben dieser Seite, solange das läuft.',
  on: 'An',
  off: 'Aus',
  failed: 'Nicht an',
  address: 'Adresse',
  addressHelp: 'Was Programme die Basis-URL nennen.',
  copyAddress: 'Adresse kopieren',
  port: 'Port',
  portHelp: (min, max) => `Eine Zahl von ${min} bis ${max}.`,
  tryPort: (port) => `Port ${port} verwenden`,
  noModel: 'Kein Modell ist geladen. Bis dahin werden Anfragen abgewiesen.',
  chooseModel: 'Modell wählen',
  key: 'Schlüssel',
  keyHelp: 'Programme senden ihn als „Authorization: Bearer …“. Er liegt in einer Datei, die nur Sie lesen können.',
  showKey: 'Zeigen',
  hideKey: 'Verbergen',
  copyKey: 'Schlüssel kopieren',
  rotate: 'Neuer Schlüssel',
  rotateAsk: 'Programme mit dem alten Schlüssel werden ab dann abgewiesen. Laufende Antworten werden beendet.',
  rotateDo: 'Schlüssel ersetzen',
  rotated: 'Der Schlüssel ist neu. Geben Sie ihn Ihren Programmen.',
  snippets: 'Fertig zum Ausführen',
  snippetsHelp: 'Die Kopie enthält Ihren Schlüssel.',
  languages: { curl: 'curl', python: 'Python', javascript: 'JavaScript' },
  copySnippet: 'Kopieren, mit dem Schlüssel',
  requests: 'Anfragen',
  noRequests: 'Hier stehen Anfragen, während sie laufen und eine Weile danach.',
  columns: {
    at: 'Begonnen',
    path: 'Anfrage',
    phase: 'Zustand',
    prompt: 'Gelesen',
    output: 'Geschrieben',
    seconds: 'Dauer',
  },
  phases: { waiting: 'Wartet', reading: 'Liest', writing: 'Schreibt' },
  tokens: (n) => (n === 0 ? '–' : count(n)),
  seconds: (ms) => (ms < 1000 ? `${ms} ms` : `${fixed(ms / 1000, ms < 10_000 ? 2 : 1)} s`),
  ended: (status) => {
    if (status === 200) return 'Beantwortet';
    if (status === 499) return 'Programm ging';
    return `${status >= 500 ? 'Fehlgeschlagen' : 'Abgewiesen'}, ${status}`;
  },
};
