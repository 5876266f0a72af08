/** The words of the library, of the hub's settings of the completion view and of the first steps in German. */
import { bytesText, count } from './format.ts';
import type { Translated } from './language.ts';
import type { completionStrings, hubStrings, libraryStrings, tourStrings } from './libraryStrings.ts';

export const germanLibrary: Translated<typeof libraryStrings> = {
  details: 'Einzelheiten',
  repo: 'Repository',
  revision: 'Revision',
  size: 'Auf der Platte',
  verified: 'Geprüft',
  unknown: 'nicht bekannt',
  here: 'auf diesem Rechner',
  chat: 'Zum Chat',
  write: 'Schreiben',
  repair: 'Reparieren',
  move: 'Verschieben',
  moveField: 'Ordner, in den das Modell soll',
  checkUpdate: 'Nach Neuerem sehen',
  newest: 'Das ist die neueste Revision.',
  updateAvailable: (revision) => `Auf dem Hub liegt eine neuere Revision, ${revision}. Von selbst wird nichts geladen.`,
  forget: 'Aus der Liste nehmen',
  loadedHelp: 'Zum Verschieben, Reparieren oder Löschen muss das Modell erst entladen werden.',
  removed: (name, freed) =>
    `${name} wurde gelöscht. Die ${bytesText(freed)} werden frei, wenn Nemoflash endet, oder eher, wenn ein Download sie braucht.`,
  forgotten: (name) => `${name} wurde aus der Liste genommen. Die Dateien bleiben, wo sie sind.`,
  damaged: (n) =>
    n === 1
      ? 'Eine Datei ist nicht so, wie sie sein soll. Reparieren lädt das Falsche daran noch einmal.'
      : `${count(n)} Dateien sind nicht so, wie sie sein sollen. Reparieren lädt das Falsche daran noch einmal.`,
  tasks: {
    verify: 'Die Dateien werden geprüft',
    repair: 'Wird repariert',
    move: 'Wird verschoben, jede Datei geprüft',
    makeFormat: 'Die Gewichte werden umgewandelt',
  },
  making: (format) => `Die Gewichte werden in ${format} umgewandelt`,
  stop: 'Anhalten',
  formats: (name) => `Formate von ${name}`,
  table: {
    format: 'Format',
    needs: { cuda: 'GPU-Speicher', cpu: 'Speicher' },
    speed: 'Tempo hier',
    kept: 'Fertig auf der Platte',
  },
  tooBig: 'passt nicht',
  original: 'die Dateien des Modells',
  make: 'Fertig machen',
  goOn: 'Fortsetzen',
  stoppedAt: (size) => `${size} fertig`,
  otherRepo: 'Ein anderes Repository',
  otherRepoHelp: 'Jedes Modell der Nemotron-Flash-Architektur auf dem Hub.',
  look: 'Nachsehen',
};

export const germanHub: Translated<typeof hubStrings> = {
  endpoint: 'Adresse des Hubs',
  endpointHelp: 'Adresse eines Spiegels. Leer: HF_ENDPOINT, sonst der öffentliche Hub.',
  token: 'Zugangsschlüssel',
  tokenHelp: 'Für Modelle, deren Eigentümer Zugang gewährt. Er geht an den Hub und sonst nirgendwohin.',
  tokenSources: {
    none: 'Kein Schlüssel.',
    environment: 'Der Schlüssel in HF_TOKEN wird benutzt.',
    run: 'Ein Schlüssel gilt, bis Nemoflash endet: Dieses System hat keinen Schlüsselbund.',
    stored: 'Ein Schlüssel liegt im Schlüsselbund des Systems.',
  },
  tokenSave: 'Schlüssel sichern',
  tokenForget: 'Schlüssel vergessen',
  proxy: 'Proxy',
  proxyHelp: 'http://name:passwort@host:port. Leer: HTTPS_PROXY und HTTP_PROXY, sonst keiner.',
  noProxy: 'Rechner ohne Proxy',
  noProxyHelp: 'Namen, durch Kommas getrennt.',
  caFile: 'Weitere Zertifikate',
  caFileHelp: 'Eine PEM-Datei mit Zertifikaten, denen außer denen des Systems zu trauen ist.',
  invalidAddress: 'Eine Adresse beginnt mit http:// oder https://.',
  test: 'Testen',
  testOne: (setting) => `Testen: ${setting}`,
  testAll: 'Verbindung testen',
  testing: 'Wird getestet',
  findings: {
    unset: 'Hier ist nichts eingestellt, also gibt es nichts zu testen.',
    answered: (endpoint, ms) => `${endpoint} hat in ${count(ms)} ms geantwortet.`,
    account: (user) => `Der Schlüssel gehört ${user}.`,
    proxied: (endpoint, ms) => `Der Proxy führt zu ${endpoint} (${count(ms)} ms).`,
    direct: (endpoint) => `${endpoint} wird ohne den Proxy erreicht.`,
    certificates: (n, endpoint) =>
      n === 1
        ? `Ein Zertifikat ist gelesen, und ${endpoint} wird vertraut.`
        : `${count(n)} Zertifikate sind gelesen, und ${endpoint} wird vertraut.`,
  },
  requests: 'Anfragen',
  requestsHelp: 'Alles, was diese App im Netz erfragt hat, das Neueste zuerst. Rechner und Größen, keine Inhalte.',
  requestsNone: 'Es gab keine Anfrage.',
  refresh: 'Neu laden',
  columns: { when: 'Wann', host: 'Rechner', purpose: 'Zweck', bytes: 'Empfangen', result: 'Ergebnis' },
  purposes: {
    describe: 'Modell und sein Commit',
    list: 'Liste der Dateien',
    card: 'Lizenz und Karte',
    locate: 'Adresse einer Datei',
    file: 'Teil einer Datei',
    test: 'Verbindungstest',
    update: 'neue Version von Nemoflash',
    dictionary: 'Wörterbuch der Rechtschreibung',
  },
  shown: (n, total) => `${count(n)} von ${count(total)} gezeigt`,
  showAll: 'Alle zeigen',
};

export const germanTour: Translated<typeof tourStrings> = {
  label: (step, steps) => `Erste Schritte, ${step} von ${steps}`,
  count: (step, steps) => `${step} von ${steps}`,
  titles: { model: 'Das antwortet Ihnen', branch: 'Keine Antwort ist endgültig', keys: 'Für alles eine Taste' },
  texts: {
    model:
      'Das Modell, sein Gewichtsformat und das Gerät, auf dem es läuft, sind immer zu sehen. Alles bleibt auf diesem Rechner.',
    branch:
      'Bearbeiten, neu erzeugen, verzweigen: bei jeder Nachricht. Jede Fassung bleibt, und gelesen wird nur, was neu ist.',
    keys: (palette, latency) =>
      `${palette} findet jeden Befehl. ${latency} zeigt, wohin jede Millisekunde einer Antwort ging.`,
  },
  next: 'Weiter',
  skip: 'Überspringen',
  done: 'Fertig',
  again: 'Erste Schritte zeigen',
};

export const germanCompletion: Translated<typeof completionStrings> = {
  title: 'Fortsetzen',
  label: 'Text, der fortgesetzt wird',
  placeholder: 'Beginnen Sie einen Text; das Modell setzt ihn fort',
  help: 'Ein Basismodell setzt einen Text fort, statt Fragen zu beantworten.',
  go: 'Text fortsetzen',
  stop: 'Anhalten',
  undo: 'Letzte Fortsetzung zurücknehmen',
  noModel: 'Laden Sie ein Basismodell, um damit zu schreiben.',
  models: 'Zu den Modellen',
};
