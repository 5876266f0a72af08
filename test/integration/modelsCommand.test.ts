// `nemoflash models …` as a script sees it: JSON lines on stdout, and an exit code that tells the truth.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import { afterEach, expect, test } from 'vitest';

import type { DownloadStatus, InstalledModel, VerifyReport } from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import { closeAll, expectSame, folder, golden, hubWith, repo } from '../support/downloads.ts';

afterEach(closeAll);

const cli = path.resolve(import.meta.dirname, '../support/modelsCli.ts');

interface Line {
  readonly model: InstalledModel;
  readonly report: VerifyReport;
  readonly error: ErrorInfo;
  readonly progress: DownloadStatus;
  readonly freedBytes: number;
}

function commandsFor(endpoint: string) {
  const home = folder();
  const env = { ...process.env, HF_ENDPOINT: endpoint, HF_HOME: folder() };
  return async (...words: readonly string[]) => {
    const child = spawn(process.execPath, [cli, 'models', ...words, '--json', '--home', home], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    const [code] = (await once(child, 'close')) as [number];
    const lines = output.split('\n').filter((line) => line !== '');
    return { code, lines, last: JSON.parse(lines.at(-1) ?? 'null') as Line & readonly InstalledModel[] };
  };
}

test('a model is pulled, listed, verified, repaired, moved and removed', async () => {
  const hub = await hubWith();
  const run = commandsFor(hub.url);

  const refused = await run('pull', repo);
  expect(refused).toMatchObject({ code: 1, last: { error: { code: 'LICENCE_NOT_ACCEPTED' } } });
  expect(hub.sentBytes('model.safetensors')).toBe(0);
  expect(await run('pull', 'nvidia/nothing', '--accept-license')).toMatchObject({
    code: 1,
    last: { error: { code: 'HUB_MISSING' } },
  });

  const pulled = await run('pull', repo, '--accept-license', '--revision', hub.commit(repo));
  expect(pulled.code).toBe(0);
  const progress = pulled.lines.slice(0, -1).map((line) => (JSON.parse(line) as Line).progress);
  expect(progress.at(-1)).toMatchObject({ repo, state: 'done', revision: hub.commit(repo) });
  const { id, folder: place, verifiedAt } = pulled.last.model;
  expect(verifiedAt).toBeGreaterThan(0);
  expectSame(place);
  expect((await run('list')).last).toMatchObject([{ id, folder: place }]);

  const weights = path.join(place, 'model.safetensors');
  const bytes = readFileSync(weights);
  bytes[70_000] = ~(bytes[70_000] ?? 0);
  writeFileSync(weights, bytes);
  expect(await run('verify', id)).toMatchObject({ code: 1, last: { report: { ok: false } } });
  expect(await run('repair', id)).toMatchObject({ code: 0, last: { report: { ok: true } } });

  const aFile = path.join(place, 'config.json');
  expect(await run('move', id, aFile)).toMatchObject({ code: 1, last: { error: { code: 'DISK' } } });
  const moved = await run('move', id, folder());
  expect(moved.code).toBe(0);
  expectSame(moved.last.model.folder);
  expect((await run('rm', id)).last.freedBytes).toBe(moved.last.model.sizeBytes);
  expect(await run('rm', id)).toMatchObject({ code: 1, last: { error: { code: 'NOT_FOUND' } } });
});

test('an address that is none is named as what is wrong', async () => {
  const { code, last } = await commandsFor('nonsense')('pull', repo, '--accept-license');
  expect({ code, last }).toMatchObject({ code: 1, last: { error: { code: 'BAD_ARGUMENT' } } });
  expect(last.error.message).toContain('HF_ENDPOINT');
});

test('a folder is imported in place; one that is no model is refused', async () => {
  const hub = await hubWith();
  const run = commandsFor(hub.url);
  expect(await run('import', golden)).toMatchObject({
    code: 0,
    last: { model: { folder: golden, origin: 'imported' } },
  });
  expect(await run('import', folder())).toMatchObject({ code: 1, last: { error: { code: 'BAD_MODEL' } } });
  expect(hub.requests).toEqual([]);
});

test('a folder that cannot hold a model is refused at once, before a byte of it', async () => {
  const hub = await hubWith();
  const run = commandsFor(hub.url);
  const file = path.join(folder(), 'file');
  writeFileSync(file, '');
  const pull = (dir: string) => run('pull', repo, '--accept-license', '--dir', dir);
  const refusal = (code: string) => ({ code: 1, last: { error: { code } } });
  for (const dir of [file, ...(process.platform === 'linux' ? ['/proc/models', '/dev/full'] : [])]) {
    expect(await pull(dir)).toMatchObject(refusal('DISK'));
  }
  expect(await pull('')).toMatchObject(refusal('BAD_ARGUMENT'));
  expect(hub.sentBytes('model.safetensors')).toBe(0);
});
