/** The words of benchmarks and comparisons in German. */
import { verdictPercents } from '../main/contract/benchmark.ts';
import type { BenchmarkRow } from '../main/contract/benchmark.ts';
import { count } from './format.ts';
import type { Strings } from './strings.ts';

const rows: Readonly<Record<BenchmarkRow['kind'], (size: string) => string>> = {
  decode: (size) => `${size} Tokens schreiben`,
  prefill: (size) => `${size} Tokens lesen`,
  sequences: (size) => (size === '1' ? '1 Sequenz' : `${size} Sequenzen zugleich`),
};

const decimal = (value: number): string => value.toFixed(1).replace('.', ',');

const interval =
  'Das Intervall ist ein 95-%-t-Intervall über die Differenzen der Logarithmen je Runde; enthält es die Null, lässt sich nichts sagen.';

export const germanBenchmark: Strings['benchmark'] = {
  run: 'Benchmark',
  plan: 'Plan',
  plans: { quick: 'Kurz', paper: 'Protokoll der Veröffentlichung' },
  describe: ({ decodeTokens, prefillTokens, sequences, sequenceTokens, repetitions }) =>
    `Aufwärmen, dann je ${repetitions}-mal: ${count(decodeTokens)} Tokens bei Batch 1 schreiben; ${prefillTokens
      .map(count)
      .join(
        ', ',
      )} Tokens lesen; ${sequences.join(', ')} Sequenzen von ${count(sequenceTokens)} Tokens zugleich. Jeder Prompt ist neu, nichts wird wiederverwendet.`,
  begin: 'Starten',
  stop: 'Anhalten',
  needsModel: 'Laden Sie zuerst ein Modell.',
  beginning: 'Vorbereitung',
  progress: ({ done, total }) => `${count(done)} von ${count(total)} Läufen`,
  result: (when) => `Ergebnis vom ${when}`,
  resultHelp: (repetitions) =>
    `Nur Stempel der Engine. Median von ${repetitions} Wiederholungen, mit dem niedrigsten und dem höchsten Wert; ITL über alle Lücken aller Wiederholungen.`,
  card: 'Bild zum Teilen',
  what: 'Was',
  spread: 'Von – bis',
  took: 'Zeit',
  overTime: 'Im Lauf der Zeit',
  row: (kind, size) => rows[kind](count(size)),
  repetitions: (n) => `Median von ${n}`,
  leftOut: 'Ausgelassen, weil der Kontext zu kurz ist:',
  kept: 'Frühere Ergebnisse',
  keptHelp: '„Im Lauf der Zeit“ vergleicht Läufe mit gleichem Gerät, Modell, Format und gleich vielen Threads.',
  remove: 'Löschen',
  published: 'Veröffentlichte Werte',
  here: ({ device, format }) => `Hier: ${device}, ${format}`,
  hereConditions: ({ device, format }, tokens) =>
    `Hier: ${device}, Gewichte in ${format}, ${count(tokens)} Tokens bei Batch 1 geschrieben. Eine andere GPU, ein anderes Format oder weniger Tokens sind eine andere Messung: mit Vorsicht vergleichen.`,

  compare: 'Zwei Einstellungen gegeneinander',
  compareHelp:
    'Läuft in jeder Runde A, B, B, A, damit ein Driften von Takt und Temperatur beide trifft. Beide Seiten bekommen dieselben Prompts; das Modell wird neu geladen, wenn die Einstellung wechselt. Danach bleibt A geladen.',
  side: (name) => `Einstellung ${name}`,
  asLoaded: 'Wie geladen',
  asLoadedIs: (now) => `Wie geladen (${now})`,
  format: 'Gewichtsformat',
  device: 'Gerät',
  threads: 'CPU-Threads',
  threadsRange: (most) => `Eine ganze Zahl von 1 bis ${count(most)}.`,
  switches: { on: 'Ein', off: 'Aus' },
  graph: 'Schreibschritt in einem Stück',
  graphHelp: 'Aus startet jeden Kernel eines Tokens einzeln.',
  graphNeedsGpu: 'Auf der CPU nicht verfügbar: So wird einer GPU Arbeit übergeben.',
  readsAhead: 'Lesen beim Tippen',
  readsAheadHelp: 'Ein liest eine Nachricht von 256 Tokens, bevor die Uhr läuft.',
  notCompared: 'Nicht verglichen',
  byTtft: 'Diese Läufe werden von Enter bis zum ersten Token gemessen; nur dort zeigt sich das Lesen im Voraus.',
  notInTurns:
    'Ob die GPU die Oberfläche zeichnet, kann hier nicht abwechseln: Es ändert sich nur mit einem Neustart (Einstellungen, „Das Fenster auf der CPU zeichnen“), und im Browser ist es dessen eigene Einstellung.',
  rounds: 'Runden',
  roundsOf: (n) => `${n} Runden`,
  tokensPerRun: 'Tokens je Lauf',
  tokensOf: (n) => `${n} Tokens`,
  sameSides: 'Beide sind jetzt gleich. Auch das ist eine gute Frage: Die Antwort sollte „nicht unterscheidbar“ lauten.',
  outcome: 'Ergebnis',
  outcomeHelp: {
    itl: `Jeder Punkt ist die mittlere ITL eines Laufs. ${interval}`,
    ttft: `Jeder Punkt ist die Zeit bis zum ersten Token eines Laufs. ${interval}`,
  },
  verdict: (result) => {
    if (result.verdict === 'not distinguishable') return 'A und B sind nicht unterscheidbar';
    const { percent, ends } = verdictPercents(result);
    const word = result.verdict === 'faster' ? 'schneller' : 'langsamer';
    return `B ist um ${decimal(percent)} % ${word} (95-%-Intervall ${decimal(ends[0])} bis ${decimal(ends[1])} %)`;
  },
  settings: ({ format, deviceKind, threads, device }, { useGraph, readsAhead }) =>
    [
      format,
      deviceKind === 'cpu' ? `${device}, ${threads} Threads` : device,
      ...(useGraph === undefined ? [] : [useGraph ? 'Schritt in einem Stück' : 'Kernel für Kernel']),
      ...(readsAhead === undefined ? [] : [readsAhead ? 'beim Tippen gelesen' : 'nach Enter gelesen']),
    ].join(' · '),
};
