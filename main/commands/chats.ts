/** `nemoflash chats`: the chats of the app on the command line, also while the app is running. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import process from 'node:process';

import { Option } from 'commander';
import type { Command } from 'commander';

import { writeFileAtomic } from '../atomicFile.ts';
import type { SearchHit } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { ChatStore } from '../history/chatStore.ts';
import { exchangeFormats, exportChats, importChats } from '../history/exchange.ts';
import type { ExchangeFormat, ImportReport } from '../history/exchange.ts';
import { openHistorySync } from '../history/history.ts';
import { makeHomeSync, resolveHome } from '../home.ts';
import { openLog } from '../log.ts';

interface CommonOptions {
  readonly home?: string;
  readonly json: boolean;
}

interface ExportOptions extends CommonOptions {
  readonly format: ExchangeFormat;
  readonly out?: string;
}

export function register(program: Command): void {
  const chats = program.command('chats').description('List, search, export and import the chats of the app.');

  leaf(chats, 'list', 'List the chats: id, last use, title.').action((options: CommonOptions) => list(options));

  leaf(chats, 'search', 'Find messages and titles with all of the words.')
    .argument('<words...>', 'what to look for')
    .action((words: readonly string[], options: CommonOptions) => search(words.join(' '), options));

  leaf(chats, 'export', 'Write chats as JSON or Markdown; both can be imported again.')
    .argument('[ids...]', 'ids of chats (default: all)')
    .addOption(new Option('--format <format>', 'json or markdown').choices(exchangeFormats).default('json'))
    .option('--out <file>', 'where to write (default: standard output)')
    .action((ids: readonly string[], options: ExportOptions) => exportTo(ids, options));

  leaf(chats, 'import', 'Add chats from exported files. What is here already is never changed.')
    .argument('<files...>', 'files that `nemoflash chats export` wrote')
    .action((files: readonly string[], options: CommonOptions) => importFrom(files, options));
}

function leaf(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option('--home <folder>', 'where Nemoflash keeps everything (default: NEMOFLASH_HOME, else the usual place)')
    .option('--json', 'print JSON', false);
}

/** Opens the store beside a running app, and closes it whatever happens. */
async function withStore<T>({ home: folder }: CommonOptions, use: (store: ChatStore) => T | Promise<T>): Promise<T> {
  const home = makeHomeSync(resolveHome(folder));
  const history = openHistorySync(home, openLog(home.logFile), { repair: false });
  try {
    return await use(history.chats);
  } finally {
    await history.close();
  }
}

/** Waits for slow readers, so that nothing is cut when the program ends. */
async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

const printJson = (value: unknown) => print(`${JSON.stringify(value, null, 2)}\n`);

async function list(options: CommonOptions): Promise<void> {
  const chats = await withStore(options, (store) => store.list());
  if (options.json) return printJson(chats);
  if (chats.length === 0) return print('There are no chats yet.\n');
  const lines = chats.map(({ id, title, updatedAt, pinned }) => {
    const date = new Date(updatedAt).toISOString().slice(0, 16).replace('T', ' ');
    return `${id}  ${date}  ${pinned ? '* ' : ''}${title}\n`;
  });
  return print(lines.join(''));
}

async function search(query: string, options: CommonOptions): Promise<void> {
  const hits = await withStore(options, (store) => store.search(query));
  if (options.json) return printJson(hits);
  if (hits.length === 0) return print('Nothing was found.\n');
  return print(hits.map(searchLine).join(''));
}

function searchLine({ chatId, messageId, title, snippet }: SearchHit): string {
  return messageId === null ? `${chatId}  ${title}\n` : `${chatId}  ${title}: ${snippet.trim()}\n`;
}

async function exportTo(ids: readonly string[], options: ExportOptions): Promise<void> {
  const text = await withStore(options, (store) => exportChats(store, options.format, ids));
  if (options.out === undefined) return print(text);
  try {
    await writeFileAtomic(options.out, text);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new AppError('DISK', `${options.out} cannot be written (${reason}). Choose another file.`, { cause });
  }
  return options.json ? printJson({ file: options.out, bytes: Buffer.byteLength(text) }) : undefined;
}

async function importFrom(files: readonly string[], options: CommonOptions): Promise<void> {
  // All files are read before anything is added.
  const texts = await Promise.all(files.map(readText));
  const reports = await withStore(options, (store) =>
    texts.map((text, index) => explained(files[index] ?? '', () => importChats(store, text))),
  );
  const total = (key: keyof ImportReport) => reports.reduce((sum, report) => sum + report[key], 0);
  const report: ImportReport = { imported: total('imported'), copied: total('copied'), skipped: total('skipped') };
  if (options.json) return printJson(report);
  return print(
    `${report.imported} chats imported, ${report.copied} added as copies, ${report.skipped} were here already.\n`,
  );
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new AppError('NOT_FOUND', `${file} cannot be read (${reason}).`, { cause });
  }
}

/** Says which of several files it is. */
function explained<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, `${file}: ${error.message}`, { cause: error });
  }
}
