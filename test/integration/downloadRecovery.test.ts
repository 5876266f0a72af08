// What a download and an installed model survive: kills, a disk that fills up, damaged files, folders moved by hand.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import {
  closeAll,
  expectSame,
  fetchAll,
  folder,
  golden,
  hubWith,
  partBytes,
  repo,
  serviceFor,
  weightBytes,
} from '../support/downloads.ts';
import { freshFolder, removeFolder } from '../support/home.ts';
import type { HubFault } from '../support/hubFaults.ts';
import { randomOf } from '../support/random.ts';

afterEach(closeAll);

const weights = 'model.safetensors';
const cacheFolder = 'models--nvidia--Nemotron-Flash-3B-Instruct';
const support = (name: string) => path.resolve(import.meta.dirname, '../support', name);

describe('a process that is killed', () => {
  const killPartBytes = 256 * 1024;

  function startChild(endpoint: string, home: string) {
    return spawn(process.execPath, [support('downloadChild.ts'), endpoint, home, String(killPartBytes)], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  }

  test('fetches no more than one part again for each kill', async () => {
    const hub = await hubWith({ bytesPerSecond: 250_000 });
    const home = folder();
    const kills = 3;
    for (let kill = 1; kill <= kills; kill++) {
      const child = startChild(hub.url, home);
      const exit = once(child, 'exit');
      while (hub.sentBytes(weights) < (weightBytes * kill) / (kills + 1) && child.exitCode === null) await sleep(5);
      child.kill('SIGKILL');
      await exit;
    }
    const [code] = (await once(startChild(hub.url, home), 'exit')) as [number];
    expect(code).toBe(0);
    expect(hub.sentBytes(weights) - weightBytes).toBeLessThanOrEqual(kills * killPartBytes);
    const { service } = await serviceFor(hub, home);
    expectSame((await service.list())[0]?.folder ?? '');
  });

  test('in the middle of other faults leaves nothing wrong behind; the command line finishes it', async () => {
    const seed = Number(process.env['NEMOFLASH_SEED'] ?? Date.now() % 1_000_000);
    console.log(`seed ${seed} (NEMOFLASH_SEED=${seed} repeats it)`);
    const { below } = randomOf(seed);
    const faults: HubFault[] = [
      { kind: 'cut', afterBytes: below(killPartBytes), skip: below(4) },
      { kind: 'wrongByte', at: below(weightBytes), file: weights, skip: below(4) },
      { kind: 'status', status: 503, skip: below(4) },
      { kind: 'expire', on: 'cdn', skip: below(4) },
    ];
    const hub = await hubWith({ bytesPerSecond: 400_000, faults });
    const home = folder();
    for (let kill = 1; kill <= 2; kill++) {
      const before = hub.sentBytes(weights);
      const child = startChild(hub.url, home);
      const exit = once(child, 'exit');
      const wanted = below(weightBytes / 2);
      while (hub.sentBytes(weights) - before < wanted && child.exitCode === null) await sleep(5);
      child.kill('SIGKILL');
      await exit;
    }
    const words = ['models', 'pull', repo, '--accept-license', '--json', '--home', home];
    const pull = spawn(process.execPath, [support('modelsCli.ts'), ...words], {
      env: { ...process.env, HF_ENDPOINT: hub.url, HF_HOME: folder() },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    pull.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(pull, 'close')) as [number];
    expect(code, `seed ${seed}: ${output}`).toBe(0);
    const { model } = JSON.parse(output.trim().split('\n').at(-1) ?? '') as { model: { folder: string } };
    expectSame(model.folder);
  });
});

/** Mounts a disk of so many bytes in memory; whether it could be done. */
const mountDisk = (mount: string, sizeBytes: number): boolean =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'nemoflash-test', mount]).status === 0;

function unmountDisk(mount: string): void {
  spawnSync('umount', [mount]);
  removeFolder(mount);
}

/** Why there can be no such disk here; null when there can. */
function whyNoDisk(): string | null {
  if (process.platform !== 'linux') return 'only Linux has a disk in memory';
  const mount = freshFolder('disk');
  const mounted = mountDisk(mount, 4096);
  unmountDisk(mount);
  return mounted ? null : 'mounting a disk is not permitted here';
}

const noDisk = whyNoDisk();

describe.skipIf(noDisk !== null)(`a full disk${noDisk === null ? '' : ` (skipped: ${noDisk})`}`, () => {
  let mounted = '';
  beforeAll(() => {
    mounted = freshFolder('disk');
    expect(mountDisk(mounted, weightBytes + 400_000)).toBe(true);
  });
  afterAll(() => unmountDisk(mounted));

  test('pauses the download with a message, keeps what is there, and lets it go on when there is room', async () => {
    const hub = await hubWith({ bytesPerSecond: 300_000 });
    const { service } = await serviceFor(hub);
    await service.download({ repo, revision: 'main', acceptLicence: true, folder: mounted });
    while (((await service.downloads())[0]?.doneBytes ?? 0) < weightBytes / 4) await sleep(10);
    const filler = path.join(mounted, 'filler');
    spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4096']);
    const paused = await service.settled(repo);
    expect(paused.state).toBe('paused');
    expect(paused.reason?.code).toBe('DISK_FULL');
    expect(paused.reason?.message).toContain('Make room, then resume');
    expect((await service.list()).length).toBe(0);
    const sent = hub.sentBytes(weights);
    expect(sent).toBeLessThan(weightBytes);

    // Again while the disk is still full: nothing is fetched, nothing is lost.
    await service.resume({ repo });
    expect((await service.settled(repo)).reason?.code).toBe('DISK_FULL');
    rmSync(filler);
    await service.resume({ repo });
    expect((await service.settled(repo)).state).toBe('done');
    expectSame((await service.list())[0]?.folder ?? '');
    expect(hub.sentBytes(weights) - weightBytes).toBeLessThanOrEqual(4 * partBytes);
  });
});

describe('a damaged file', () => {
  test('is repaired by fetching its bad part only', async () => {
    const hub = await hubWith();
    const { service } = await serviceFor(hub);
    await fetchAll(service);
    const { id: modelId = '', folder: place = '' } = (await service.list())[0] ?? {};
    const file = path.join(place, weights);
    const bytes = readFileSync(file);
    const at = Math.floor(2.5 * partBytes);
    bytes[at] = ~(bytes[at] ?? 0);
    writeFileSync(file, bytes);
    const before = hub.sentBytes(weights);
    expect((await service.repair({ modelId })).ok).toBe(true);
    expect(hub.sentBytes(weights) - before).toBe(partBytes);
    expectSame((await service.list())[0]?.folder ?? '');
  });

  test('of the download itself is set aside, and the download begins that file anew', async () => {
    const hub = await hubWith({ bytesPerSecond: 400_000 });
    const root = folder();
    const { service, home } = await serviceFor(hub, root);
    await service.download({ repo, revision: 'main', acceptLicence: true });
    while (((await service.downloads())[0]?.doneBytes ?? 0) < 200_000) await sleep(10);
    await service.pause({ repo });
    await service.close();
    const staging = path.join(home.modelsFolder, cacheFolder, '.nemoflash', hub.commit(repo));
    writeFileSync(path.join(staging, 'files', `${weights}.parts`), '{"version": 1, "done": [9e99]');

    const again = await serviceFor(hub, root);
    expect((await again.service.downloads())[0]?.state).toBe('paused');
    expect(existsSync(path.join(staging, 'files', `${weights}.parts.damaged`))).toBe(true);
    expect((await fetchAll(again.service)).state).toBe('done');
    expectSame((await again.service.list())[0]?.folder ?? '');
  });

  test('of the plan or of a record costs the app nothing else', async () => {
    const hub = await hubWith();
    const root = folder();
    const { service, home } = await serviceFor(hub, root);
    await fetchAll(service);
    await service.close();
    const library = path.join(home.root, 'library');
    for (const name of readdirSync(library)) writeFileSync(path.join(library, name), 'not JSON');
    const plan = path.join(home.modelsFolder, 'models--some--thing', '.nemoflash', 'a'.repeat(40), 'plan.json');
    mkdirSync(path.dirname(plan), { recursive: true });
    writeFileSync(plan, '{');

    const again = await serviceFor(hub, root);
    expect(await again.service.downloads()).toEqual([]);
    expect(existsSync(`${plan}.damaged`)).toBe(true);
    expect(await again.service.list()).toMatchObject([{ repo, verifiedAt: null }]);
    expect(readdirSync(home.damagedFolder)).toHaveLength(1);
  });
});

describe('a model that is on this machine already', () => {
  test('is found again when its folder was moved by hand, with what is known of its files', async () => {
    const hub = await hubWith();
    const root = folder();
    const { service, home, settings } = await serviceFor(hub, root);
    await fetchAll(service);
    const [before] = await service.list();
    const elsewhere = folder();
    cpSync(home.modelsFolder, elsewhere, { recursive: true });
    rmSync(path.join(home.modelsFolder, cacheFolder), { recursive: true });
    expect(await service.list()).toEqual([]);

    await settings.update({ modelsFolder: elsewhere });
    const [found] = await service.list();
    expect(found).toMatchObject({ id: before?.id, verifiedAt: null });
    expect(found?.folder.startsWith(elsewhere)).toBe(true);
    const bytes = readFileSync(path.join(found?.folder ?? '', weights));
    bytes[0] = ~(bytes[0] ?? 0);
    writeFileSync(path.join(found?.folder ?? '', weights), bytes);
    expect((await service.verify({ modelId: found?.id ?? '' })).ok).toBe(false);
  });

  test('is found when it was put into the models folder by hand', async () => {
    const hub = await hubWith();
    const { service, home } = await serviceFor(hub);
    const commit = 'b'.repeat(40);
    const snapshot = path.join(home.modelsFolder, 'models--nvidia--Nemotron-Flash-1B', 'snapshots', commit);
    cpSync(golden, snapshot, { recursive: true });
    expect(await service.list()).toMatchObject([
      { repo: 'nvidia/Nemotron-Flash-1B', revision: commit, verifiedAt: null },
    ]);
  });

  test('in another tool’s cache is taken from there, not from the network', async () => {
    const hub = await hubWith();
    const cache = folder();
    const commit = hub.commit(repo);
    const blobs = path.join(cache, cacheFolder, 'blobs');
    const snapshot = path.join(cache, cacheFolder, 'snapshots', commit);
    mkdirSync(blobs, { recursive: true });
    mkdirSync(snapshot, { recursive: true });
    cpSync(path.join(golden, weights), path.join(blobs, 'blob'));
    symlinkSync(path.join('..', '..', 'blobs', 'blob'), path.join(snapshot, weights));

    const { service, home } = await serviceFor(hub, folder(), { hfCache: cache });
    expect((await fetchAll(service)).state).toBe('done');
    expect(hub.sentBytes(weights)).toBe(0);
    expectSame((await service.list())[0]?.folder ?? '');
    // Other tools find it in turn.
    expect(readFileSync(path.join(home.modelsFolder, cacheFolder, 'refs', 'main'), 'utf8')).toBe(commit);
    expect(statSync(path.join(blobs, 'blob')).size).toBe(weightBytes);
  });

  test('whose disk is away comes back with its disk', async () => {
    const hub = await hubWith();
    const { service } = await serviceFor(hub);
    const place = path.join(folder(), 'model');
    cpSync(golden, place, { recursive: true });
    const { id } = await service.import({ path: place });
    renameSync(place, `${place}.away`);
    expect(await service.list()).toEqual([]);
    renameSync(`${place}.away`, place);
    expect(await service.list()).toMatchObject([{ id }]);
  });
});
