/** The words of the conversation, its field, its figures and its sampling, in German. */
import type { SamplingNumber } from '../main/contract/domain.ts';
import { count, rateText } from './format.ts';
import type { Strings } from './strings.ts';

const samplingNames: Readonly<Record<SamplingNumber, { readonly label: string; readonly help: string }>> = {
  temperature: {
    label: 'Temperatur',
    help: 'Höher macht die Wortwahl bunter; 0 nimmt immer das wahrscheinlichste Token.',
  },
  topP: {
    label: 'Top-p',
    help: 'Behält die wahrscheinlichsten Tokens, die zusammen diese Wahrscheinlichkeit haben; 1 behält alle.',
  },
  topK: { label: 'Top-k', help: 'Behält nur so viele der wahrscheinlichsten Tokens; 0 behält alle.' },
  minP: {
    label: 'Min-p',
    help: 'Verwirft Tokens, die unwahrscheinlicher sind als dieser Teil des besten; 0 verwirft keines.',
  },
  repetitionPenalty: {
    label: 'Wiederholungsstrafe',
    help: 'Über 1 kommen Tokens, die schon da waren, seltener wieder.',
  },
  frequencyPenalty: {
    label: 'Häufigkeitsstrafe',
    help: 'Senkt ein Token jedes Mal, wenn die Antwort es verwendet.',
  },
  presencePenalty: { label: 'Vorkommensstrafe', help: 'Senkt ein Token, sobald es einmal verwendet wurde.' },
  maxNewTokens: {
    label: 'Längste Antwort',
    help: 'Nach so vielen Tokens wird die Antwort abgeschnitten; sie lässt sich fortsetzen.',
  },
};

const tokenCount = (n: number): string => (n === 1 ? '1 Token' : `${count(n)} Tokens`);

export const germanChat: Pick<
  Strings,
  'context' | 'chat' | 'inspector' | 'composer' | 'code' | 'strip' | 'empty' | 'sampling'
> = {
  context: {
    label: 'Kontext',
    meter: (used, total) => `${count(used)} von ${count(total)} Tokens belegt`,
    reserve: (tokens) => `${count(tokens)} für die Antwort frei gehalten`,
    tight: 'Die längste Antwort passt nicht mehr. Der Kontext würde sie abschneiden.',
    title: (share, total) => `${share} von ${count(total)} Tokens`,
    conversation: 'Gespräch',
    memory: 'Eigene Gedächtnis-Tokens des Modells',
    answer: 'Für die Antwort frei gehalten',
    free: 'Frei',
    policy: 'Wenn der Kontext voll ist',
    kinds: { stop: 'Anhalten', roll: 'Weglassen', summarise: 'Kürzen' },
    kindHelp: {
      stop: 'Es wird nicht mehr geantwortet, bis Sie entscheiden. Nie wird etwas weggelassen.',
      roll: 'Systemprompt und neueste Runden bleiben, ältere werden weggelassen. Eine Linie zeigt, wo.',
      summarise: 'Wie „Weglassen“, und an die Stelle der älteren Runden tritt eine Zusammenfassung des Modells.',
    },
    leaveOut: 'Ältere Runden weglassen',
    keep: 'Vollständig behaltene Runden',
    keepHelp: 'Weniger, wo so viele nicht passen.',
    cut: (messages) => `Die ${count(messages)} Nachrichten darüber sieht das Modell nicht mehr`,
    summary: 'Stattdessen hat es diese Zusammenfassung',
  },

  chat: {
    conversation: 'Gespräch',
    announced: 'Antwort, während sie entsteht',
    you: 'Sie',
    model: 'Modell',
    showAll: (chars) => `Alle ${count(chars)} Zeichen zeigen`,
    modelPart: (part: number, parts: number) => `Modell, Teil ${part} von ${parts}`,
    jumpToEnd: 'Zum Ende springen',
    thinking: 'Warten auf die Engine',
    reading: (done, total, perSecond) =>
      `liest ${count(done)} von ${count(total)} Tokens${perSecond === null ? '' : ` · ${rateText(perSecond)}`}`,
    reusedPart: (tokens) => `${count(tokens)} wiederverwendet`,
    actions: 'Aktionen der Nachricht',
    copy: 'Text kopieren',
    edit: 'Ändern und neu senden',
    regenerate: 'Neu antworten',
    raw: 'Rohen Text zeigen',
    rendered: 'Formatierten Text zeigen',
    tokens: 'Tokens zeigen',
    previousVersion: 'Vorige Fassung',
    nextVersion: 'Nächste Fassung',
    version: (index, total) => `${index}/${total}`,
    versionLabel: (index, total) => `Fassung ${index} von ${total}`,
    editLabel: 'Nachricht ändern',
    editSend: 'Als neue Fassung senden',
    queued: 'Wird gesendet, wenn das Modell bereit ist.',
    takeBack: 'Zurücknehmen',
    brokenBlock: 'Dieser Teil ließ sich nicht zeichnen. Hier ist sein Text:',
    continue: 'Fortsetzen',
    raiseLimit: 'Grenze erhöhen',
    moreContext: 'Mit mehr Kontext laden',
    loadModel: 'Modell wählen',
    reload: 'Seite neu laden',
    stopped: 'Von Ihnen angehalten.',
    cutByLength: (tokens) => `Nach ${count(tokens)} Tokens abgeschnitten, der längsten erlaubten Antwort.`,
    cutByContext: 'Der Kontext ist voll, deshalb endet die Antwort hier.',
    interrupted: 'Unterbrochen: Die App endete, während sie antwortete. Der Text bis hierher ist erhalten.',
    empty: 'Das Modell beendete die Antwort ohne ein Wort.',
    failed: 'Die Antwort ist gescheitert.',
    readAgain: (reason) => `Der gespeicherte Zustand dieses Chats passte nicht, er wurde neu gelesen: ${reason}.`,
  },

  inspector: {
    tokens: 'Tokens der Antwort',
    token: (text, share) => `${text}, ${share}`,
    place: (n) => `Token ${count(n)}`,
    alternatives: 'Was sonst hätte kommen können',
    goOn: 'Weiter mit',
    help: 'Wählen Sie eines, und von dort entsteht eine neue Fassung. Die Wahrscheinlichkeiten sind die des Modells, vor der Temperatur.',
    off: 'Es wurden keine Wahrscheinlichkeiten behalten. Stellen Sie „Alternativen je Token“ ein und lassen Sie neu antworten.',
    nothingHere:
      'Diese Antwort entstand, bevor Wahrscheinlichkeiten behalten wurden. Lassen Sie neu antworten, um sie zu sehen.',
  },

  composer: {
    label: 'Nachricht',
    placeholder: 'Fragen Sie etwas',
    placeholderNoModel: 'Schreiben Sie schon, gesendet wird, wenn ein Modell bereit ist',
    send: 'Senden',
    stop: 'Anhalten',
    tokens: tokenCount,
    hint: 'Enter sendet, Umschalt+Enter bricht die Zeile um',
    tooLong: (limit) => `Eine Nachricht darf höchstens ${count(limit)} Zeichen haben.`,
  },

  code: {
    copy: 'Code kopieren',
    expand: (lines) => `Alle ${count(lines)} Zeilen zeigen`,
    collapse: 'Weniger zeigen',
    plain: 'Text',
    region: (language) => `Code, ${language}`,
    table: 'Tabelle',
  },

  strip: {
    ttft: 'TTFT',
    itl: 'ITL',
    tokens: tokenCount,
    reused: (reused, prompt) => `${count(reused)} von ${count(prompt)} wiederverwendet`,
    typed: (tokens) => `${count(tokens)} beim Tippen`,
    restored: (tokens) => `${count(tokens)} von der Platte`,
    open: 'Diese Antwort auf der Latenzseite öffnen',
  },

  empty: {
    ready: 'Bereit',
    measured: (tokensPerSecond) => `${tokensPerSecond} hier gemessen`,
    notMeasured: 'Tempo noch nicht gemessen',
    examplesLabel: 'Beispiele',
    examples: [
      'Erkläre in fünf Sätzen, warum der Himmel blau ist, dann in einem.',
      'Schreibe eine Python-Funktion, die zwei sortierte Listen mischt, mit einem Test.',
      'Vergleiche Fahrrad, Bus und Bahn für 12 km Arbeitsweg in einer Tabelle.',
    ],
    loading: 'Das Modell wird geladen. Sie können schon schreiben.',
    choose: 'Laden Sie ein Modell, um zu beginnen.',
  },

  sampling: {
    title: 'Sampling',
    names: samplingNames,
    groups: {
      instructions: 'Anweisungen',
      randomness: 'Zufall',
      repetition: 'Wiederholung',
      length: 'Länge und Ende',
      reproducibility: 'Wiederholbarkeit',
      inspector: 'Token-Inspektor',
    },
    presetsLabel: 'Vorlagen',
    presets: { default: 'Standard', exact: 'Exakt', steady: 'Ruhig', free: 'Frei' },
    ownPresets: 'Ihre Vorlagen',
    savePreset: 'Als Vorlage speichern',
    updatePreset: 'Durch diese Werte ersetzen',
    presetName: 'Name der Vorlage',
    presetActions: (name) => `Aktionen für die Vorlage „${name}“`,
    logprobs: 'Alternativen je Token',
    logprobsHelp:
      'Behält in jedem Chat, wie wahrscheinlich jedes Token war und was sonst hätte kommen können; 0 schaltet es ab.',
    effectiveForm: 'Form',
    curlHelp:
      'Starten Sie zuerst die lokale API mit „nemoflash serve“ und legen Sie ihren Schlüssel in NEMOFLASH_API_KEY.',
    systemPrompt: 'Systemprompt',
    systemPromptHelp: 'Steht vor dem Gespräch und lenkt es im Ganzen.',
    seed: 'Startwert',
    seedHelp: 'Gleicher Startwert und gleiche Werte geben die gleiche Antwort; leer nimmt jedes Mal einen neuen.',
    seedPlaceholder: 'jedes Mal neu',
    seedRange: (max) => `Eine ganze Zahl von 0 bis ${count(max)}.`,
    stop: 'Endtexte',
    stopHelp: 'Die Antwort endet vor dem ersten von diesen; Enter fügt einen hinzu.',
    stopAdd: 'Endtext hinzufügen',
    stopRemove: (text) => `Endtext ${text} entfernen`,
    stopLimit: (limit) => `Höchstens ${limit} Endtexte.`,
    format: 'Prompt-Format',
    formatHelp: 'Modellkarte schreibt Runden als „User: … Assistant:“; roh sendet die Texte und sonst nichts.',
    formats: { 'model-card': 'Modellkarte', raw: 'Roh' },
    reset: (label, value) => `${label} auf ${value} zurücksetzen`,
    resetAll: 'Alle zurücksetzen',
    changed: (n) =>
      n === 0 ? 'Alles auf Standard' : n === 1 ? '1 Wert weicht vom Standard ab' : `${n} Werte weichen vom Standard ab`,
    effective: 'Wirksame Einstellungen',
    makeDefault: 'Für neue Chats verwenden',
    isDefault: 'Gilt für neue Chats',
    range: (min, max) => `Erlaubt: ${min} bis ${max}.`,
    none: 'keine',
  },
};
