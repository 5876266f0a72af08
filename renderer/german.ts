/** Every word of the page in German. Of the same shape as the English one, function by function. */
import { bytesText } from './format.ts';
import { germanBenchmark } from './germanBenchmark.ts';
import { germanChat } from './germanChat.ts';
import { germanLatency } from './germanLatency.ts';
import { germanModels } from './germanModels.ts';
import { germanCompletion, germanHub, germanLibrary, germanTour } from './germanLibrary.ts';
import type { Strings } from './strings.ts';

export const german: Strings = {
  app: { name: 'Nemoflash', tagline: 'Privat, offline, schnell' },

  common: {
    cancel: 'Abbrechen',
    close: 'Schließen',
    retry: 'Noch einmal versuchen',
    save: 'Speichern',
    copy: 'Kopieren',
    copied: 'Kopiert',
    undo: 'Rückgängig',
    dismiss: 'Ausblenden',
    none: '–',
    loading: 'Wird geladen',
    auto: 'Automatisch',
    more: 'Weitere Aktionen',
  },

  rail: {
    label: 'Chats und Seiten',
    newChat: 'Neuer Chat',
    search: 'Chats durchsuchen',
    clearSearch: 'Suche leeren',
    noHits: (query) => `Nichts gefunden für „${query}“.`,
    noChats: 'Hier erscheinen Ihre Chats.',
    hide: 'Chats ausblenden',
    show: 'Chats einblenden',
    untitled: 'Neuer Chat',
    groups: {
      pinned: 'Angeheftet',
      today: 'Heute',
      yesterday: 'Gestern',
      week: 'Letzte 7 Tage',
      older: 'Älter',
    },
    rename: 'Umbenennen',
    pin: 'Anheften',
    unpin: 'Lösen',
    remove: 'Löschen',
    removed: (title) => `„${title}“ wurde gelöscht.`,
    actions: (title) => `Aktionen für „${title}“`,
    titleField: 'Titel des Chats',
    pages: {
      chat: 'Chat',
      completion: 'Fortsetzen',
      models: 'Modelle',
      dashboard: 'Latenz',
      api: 'API',
      settings: 'Einstellungen',
    },
    pagesLabel: 'Seiten',
    generating: 'Antwortet',
  },

  header: {
    hideDrawer: 'Seitenleiste ausblenden',
    showDrawer: 'Seitenleiste einblenden',
    drawer: 'Seitenleiste',
    palette: 'Befehle',
  },

  desktop: {
    title: 'Dieser Computer',
    tray: 'Beim Schließen des Fensters im Infobereich bleiben',
    softwareRendering: 'Das Fenster auf der CPU zeichnen',
    spellCheck: 'Rechtschreibung prüfen',
    help: {
      tray: 'Antworten und die lokale API laufen weiter. Beenden über den Infobereich oder das Menü.',
      softwareRendering: 'Lässt den Speicher der GPU dem Modell. Ab dem nächsten Start.',
      spellCheck: 'Windows und Linux holen einmal ein Wörterbuch von Google. Ab dem nächsten Start.',
    },
  },

  updates: {
    title: 'Aktualisierungen',
    look: 'Einmal am Tag nach neuen Versionen sehen',
    lookHelp:
      'Fragt GitHub, wo die Veröffentlichungen liegen, und nennt ihm nichts als diese Version. Eine neue wird geholt, ihre Signatur geprüft, und installiert wird sie, wenn Sie es sagen. Die vorige bleibt erhalten.',
    offline: 'Nemoflash ist so eingestellt, dass es das Netz nie benutzt.',
    unsupported: 'Diese Fassung aktualisiert sich nicht selbst.',
    states: {
      unsupported: '',
      idle: 'Noch nicht nachgesehen.',
      checking: 'Sieht nach …',
      current: 'Dies ist die neueste Version.',
    },
    downloading: (version, share) => `Version ${version} wird geholt: ${share}`,
    ready: (version) => `Version ${version} ist bereit.`,
    check: 'Jetzt nachsehen',
    install: 'Installieren und neu starten',
  },

  about: {
    safeMode: 'sicherer Modus',
    diagnostics: 'Diagnose',
    diagnosticsHelp:
      'Die Diagnose enthält Versionen, Geräte, Einstellungen und die letzten Zeilen des Protokolls, zum Einfügen in eine Fehlermeldung. Kein Chat und kein Schlüssel ist darin, und nichts wird gesendet.',
    licences: 'Lizenzen',
  },

  connection: {
    lost: 'Die Verbindung zu Nemoflash ist abgerissen. Sie kommt von selbst zurück, sobald Nemoflash wieder läuft.',
    refused: 'Dieser Browser hat keinen Zugang. Öffnen Sie die Adresse, die Nemoflash beim Start ausgegeben hat.',
  },

  ...germanModels,

  badge: {
    gpu: 'GPU',
    cpu: 'CPU',
    lost: 'GPU verloren',
    none: 'Ruht',
    gpuTitle: (name) => `Läuft auf der GPU: ${name}`,
    cpuTitle: (name) => `Läuft auf der CPU: ${name}`,
    lostTitle: 'Die GPU ging verloren. Nichts läuft, bis Sie entscheiden, wie es weitergeht.',
    noneTitle: 'Kein Modell ist geladen.',
  },

  ...germanChat,

  latency: germanLatency,
  library: germanLibrary,
  tour: germanTour,
  hub: germanHub,
  completion: germanCompletion,
  benchmark: germanBenchmark,

  settings: {
    title: 'Einstellungen',
    appearance: 'Aussehen',
    language: 'Sprache',
    languages: { system: 'System', en: 'English', de: 'Deutsch' },
    theme: 'Farbschema',
    themes: { system: 'System', light: 'Hell', dark: 'Dunkel' },
    engine: 'Engine',
    device: 'Gerät',
    deviceHelp: 'Automatisch nimmt die GPU, wenn es eine gibt. Später wechselt nichts von selbst das Gerät.',
    format: 'Gewichtsformat',
    formatHelp: 'Automatisch nimmt das beste, das in den Speicher passt.',
    context: 'Länge des Kontexts',
    contextHelp: 'So viele Tokens darf ein Gespräch füllen. Mehr braucht mehr Speicher. Gilt ab dem nächsten Laden.',
    chats: 'Neue Chats',
    systemPrompt: 'Systemprompt für neue Chats',
    readAlong: 'Mitlesen, während ich schreibe',
    readAlongHelp:
      'Die Antwort beginnt nach Enter früher; der Computer arbeitet, während Sie schreiben. Im Akkubetrieb aus.',
    storage: 'Speicherort',
    home: 'Alles liegt in',
    modelsFolder: 'Modelle liegen in',
    change: 'Ändern',
    noModelsFolder: 'dem Ordner darüber',
    devices: 'Geräte',
    noGpu: 'Keine GPU',
    memoryFree: (free, total) => `${bytesText(free)} von ${bytesText(total)} frei`,
    network: 'Netz',
    offline: 'Das Netz nie benutzen',
    offlineHelp: 'Solange dies an ist, verlässt keine Anfrage die App. Chats brauchen das Netz nie.',
    endpoint: 'Adresse des Hubs',
    endpointHelp: 'Adresse eines Spiegels. Leer ist der öffentliche Hub.',
    about: 'Über',
    version: (version) => `Version ${version}`,
    seconds: 'Sekunden',
  },

  palette: {
    title: 'Befehle',
    placeholder: 'Befehl oder Titel eines Chats eingeben',
    nothing: 'Kein Befehl und kein Chat heißt so.',
    commands: {
      newChat: 'Neuer Chat',
      search: 'Chats durchsuchen',
      focusComposer: 'Zum Nachrichtenfeld',
      stop: 'Antwort anhalten',
      regenerate: 'Neu antworten',
      editLast: 'Letzte Frage ändern',
      copyLast: 'Letzte Antwort kopieren',
      rawLast: 'Roher Text der letzten Antwort',
      tokensLast: 'Tokens der letzten Antwort',
      toggleRail: 'Chats ein- oder ausblenden',
      toggleDrawer: 'Seitenleiste ein- oder ausblenden',
      nextChat: 'Nächster Chat',
      previousChat: 'Voriger Chat',
      chat: 'Zum Chat',
      models: 'Zu den Modellen',
      dashboard: 'Zur Latenz',
      api: 'Zur API',
      settings: 'Zu den Einstellungen',
      palette: 'Befehle',
      themeLight: 'Helles Farbschema',
      themeDark: 'Dunkles Farbschema',
      themeSystem: 'Farbschema des Systems',
      unload: 'Modell entladen',
    },
    chat: 'Chat',
  },

  crash: {
    title: 'Die Seite zeichnet nicht mehr',
    body: 'Ihre Chats sind sicher: Sie liegen außerhalb der Seite. Neu laden bringt sie zurück.',
    reload: 'Neu laden',
    details: 'Einzelheiten',
  },
};
