/** `nemoflash models`: the model library on the command line. */
import process from 'node:process';

import { Option } from 'commander';
import type { Command } from 'commander';

import { keptFormats } from '../contract/domain.ts';
import type {
  DownloadStatus,
  InstalledModel,
  KeptFormat,
  ModelFormat,
  ModelTask,
  VerifyReport,
} from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import { makeWeights } from '../engine/makeWeights.ts';
import { makeHomeSync, resolveHome } from '../home.ts';
import { formatBytes } from '../models/diskSpace.ts';
import { ModelsService } from '../models/modelsService.ts';
import { SettingsStore } from '../settings.ts';

interface CommonOptions {
  readonly home?: string;
  readonly json?: boolean;
}

interface PullOptions extends CommonOptions {
  readonly revision: string;
  readonly dir?: string;
  readonly acceptLicense?: boolean;
}

interface CacheOptions extends CommonOptions {
  readonly format?: KeptFormat;
  readonly rm: boolean;
}

export function register(program: Command): void {
  const models = program.command('models').description('Download, check and manage models.');

  leaf(models, 'list', 'List the installed models: id, size, when verified, folder.').action((options: CommonOptions) =>
    withService(options, async (service) => {
      const installed = await service.list();
      if (options.json) print(JSON.stringify(installed));
      else for (const model of installed) print(describeModel(model));
    }),
  );

  leaf(
    models,
    'pull <repo>',
    'Download a model from the hub and verify it. Run it again to go on after any interruption.',
  )
    .option('--revision <revision>', 'branch, tag or commit', 'main')
    .option('--dir <folder>', 'where to put it (default: the models folder of the app)')
    .option('--accept-license', 'you have read the licence of the model and accept it')
    .action(pull);

  leaf(models, 'import <folder>', 'Use a checkpoint that lies on this machine, in place.').action(
    (folder: string, options: CommonOptions) =>
      withService(options, async (service) => printModel(await service.import({ path: folder }), options)),
  );

  leaf(models, 'verify <model>', 'Compare every file of an installed model with its checksum.').action(
    (modelId: string, options: CommonOptions) =>
      withService(options, async (service) => printReport(await service.verify({ modelId }), options)),
  );

  leaf(models, 'repair <model>', 'Verify, and fetch again what is damaged or missing.').action(
    (modelId: string, options: CommonOptions) =>
      withService(options, async (service) => printReport(await service.repair({ modelId }), options)),
  );

  leaf(
    models,
    'move <model> <folder>',
    'Move a model to another folder or disk, verified before the old one goes.',
  ).action((modelId: string, folder: string, options: CommonOptions) =>
    withService(options, async (service) => printModel(await service.move({ modelId, folder }), options)),
  );

  leaf(
    models,
    'cache <model>',
    'Show which weight formats of a model (or folder) are kept converted, convert one now, or delete it.',
  )
    .addOption(new Option('--format <format>', 'convert this one').choices(keptFormats))
    .option('--rm', 'delete it instead', false)
    .action(cache);

  leaf(models, 'rm <model>', 'Delete a downloaded model; an imported folder is only forgotten.').action(
    (modelId: string, options: CommonOptions) =>
      withService(options, async (service) => {
        const removed = await service.remove({ modelId });
        print(options.json ? JSON.stringify(removed) : `${formatBytes(removed.freedBytes)} freed`);
      }),
  );
}

function leaf(parent: Command, usage: string, description: string): Command {
  return parent
    .command(usage)
    .description(description)
    .option('--home <folder>', 'where the app keeps everything (default: the usual place of the system)')
    .option('--json', 'one JSON object per line, for scripts');
}

async function cache(modelId: string, options: CacheOptions): Promise<void> {
  await withService(options, async (service) => {
    const { format, rm, json } = options;
    if (format === undefined) {
      if (rm) throw new AppError('BAD_ARGUMENT', 'Say which format to delete with --format.');
      const formats = await service.formats({ modelId });
      return json ? print(JSON.stringify(formats)) : formats.forEach((entry) => print(describeFormat(entry)));
    }
    if (rm) {
      const removed = await service.removeFormat({ modelId, format });
      return print(json ? JSON.stringify(removed) : `${formatBytes(removed.freedBytes)} freed`);
    }
    const made = await service.makeFormat({ modelId, format });
    print(json ? JSON.stringify(made) : describeFormat(made));
  });
}

async function pull(repo: string, options: PullOptions): Promise<void> {
  await withService(options, async (service) => {
    // As from a script's variable that is not set: no reason to fill the folder it runs in.
    if (options.dir === '') throw new AppError('BAD_ARGUMENT', 'Name a folder after --dir, or leave it out.');
    const description = await service.describe({ repo, revision: options.revision, folder: options.dir });
    if (!options.acceptLicense) {
      const { name, link, text } = description.licence;
      throw new AppError(
        'LICENCE_NOT_ACCEPTED',
        `${text}\n\nThe licence of ${repo} is ${name}${link ? ` (${link})` : ''}. Read it, then run this again with --accept-license.`,
      );
    }
    await service.download({ repo, revision: description.revision, acceptLicence: true, folder: options.dir });
    const status = await service.settled(repo);
    if (status.state !== 'done') {
      throw status.reason
        ? new AppError(status.reason.code, status.reason.message, { retryable: status.reason.retryable })
        : new AppError('CANCELLED', 'Stopped. What was fetched is kept: run the same command again to go on.');
    }
    const installed = (await service.list()).find((model) => model.revision === status.revision && model.repo === repo);
    if (!installed?.verifiedAt) {
      throw new AppError('INTERNAL', `${repo} was fetched but cannot be found again. Run: nemoflash models list`);
    }
    printModel(installed, options);
  });
}

/** Opens the library, runs, closes; a failure is told on stderr and by the exit code. Ctrl-C keeps what was fetched. */
async function withService(options: CommonOptions, action: (service: ModelsService) => Promise<void>): Promise<void> {
  const home = makeHomeSync(resolveHome(options.home));
  const service = new ModelsService({
    home,
    settings: SettingsStore.openSync(home.settingsFile, home.damagedFolder),
    makeWeights,
    onChanged: () => undefined,
    onProgress: (status) => (options.json ? print(JSON.stringify({ progress: status })) : showProgress(status)),
    onTask: (task) => (options.json ? print(JSON.stringify({ task })) : showTask(task)),
  });
  const stop = () => void service.close();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    await action(service);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    process.exitCode = 1;
    if (options.json) print(JSON.stringify({ error: error.info }));
    else process.stderr.write(`\n${error.message}\n`);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await service.close();
  }
}

const print = (line: string) => void process.stdout.write(`${line}\n`);

function describeModel(model: InstalledModel): string {
  const verified = model.verifiedAt === null ? 'not verified' : `verified ${new Date(model.verifiedAt).toISOString()}`;
  return [model.id, formatBytes(model.sizeBytes), verified, model.folder].join('\t');
}

function describeFormat({ format, cachedBytes, stoppedBytes }: ModelFormat): string {
  const stopped =
    stoppedBytes === 0 ? 'not made' : `stopped after ${formatBytes(stoppedBytes)}; make it again to go on`;
  return [format, cachedBytes === null ? stopped : formatBytes(cachedBytes)].join('\t');
}

function printModel(model: InstalledModel, options: CommonOptions): void {
  print(options.json ? JSON.stringify({ model }) : describeModel(model));
}

function printReport(report: VerifyReport, options: CommonOptions): void {
  if (!report.ok) process.exitCode = 1;
  if (options.json) return print(JSON.stringify({ report }));
  for (const file of report.files)
    print(`${file.ok ? 'ok ' : 'BAD'}  ${file.path}${file.problem ? `  ${file.problem}` : ''}`);
}

/** One line on a terminal, rewritten; elsewhere only what stops it. */
function showProgress({ state, doneBytes, totalBytes, bytesPerSecond, etaSeconds, reason }: DownloadStatus): void {
  const speed = bytesPerSecond === null ? '' : `  ${formatBytes(bytesPerSecond)}/s`;
  const eta = etaSeconds === null ? '' : `  ${etaSeconds} s left`;
  const line = `${state}  ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}${speed}${eta}`;
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}${reason ? `  ${reason.message}` : ''}`);
  else if (reason) process.stderr.write(`${line}  ${reason.message}\n`);
}

function showTask({ kind, doneBytes, totalBytes }: ModelTask): void {
  if (process.stderr.isTTY)
    process.stderr.write(`\r\u001b[K${kind}  ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`);
}
