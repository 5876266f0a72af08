// The downloader against a hub that breaks on purpose. A schedule is a function of its seed, which a failure names.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, describe, expect, test } from 'vitest';

import {
  closeAll,
  expectSame,
  fetchAll,
  folder,
  golden,
  hubWith,
  memoryFolder,
  partBytes,
  repo,
  serviceFor,
  smallBytes,
  smallRepo,
  transfer,
  weightBytes,
} from '../support/downloads.ts';
import { removeFolder } from '../support/home.ts';
import type { HubServer } from '../support/hub.ts';
import type { HubFault } from '../support/hubFaults.ts';
import { randomOf } from '../support/random.ts';

afterEach(closeAll);

function randomFault({ below: pick }: ReturnType<typeof randomOf>, sizeBytes: number): HubFault {
  const when = { skip: pick(8), times: 1 + pick(2) };
  switch (pick(10)) {
    case 0:
      return { ...when, kind: 'cut', afterBytes: pick(partBytes) };
    case 1:
      return { skip: pick(8), kind: 'stall', afterBytes: pick(partBytes) };
    case 2:
      return { ...when, kind: 'ignoreRange' };
    case 3:
      return { ...when, kind: 'wrongLength', delta: pick(2000) - 1000 };
    case 4:
      return { ...when, kind: 'wrongByte', at: pick(sizeBytes) };
    case 5:
      return { ...when, kind: 'status', status: 429, retryAfter: '0' };
    case 6:
      return { ...when, kind: 'status', status: 500 + pick(4) };
    case 7:
      return { ...when, kind: 'redirectLoop', on: 'resolve' };
    case 8:
      return { ...when, kind: 'expire', on: 'cdn' };
    default:
      return { skip: pick(8), kind: 'changeEtag', on: 'cdn' };
  }
}

/** For hubs that do stop sending. */
const stall = { windowMs: 150, minBytes: 1 };

/** A process takes a while to start, so that only some of the schedules kill one. */
const killedOneIn = 25;

/** Downloads in a process of its own, which is killed once so many bytes were sent. Returns 1 when that came to pass. */
async function killOnTheWay(hub: HubServer, home: string, bytes: number): Promise<number> {
  const script = path.resolve(import.meta.dirname, '../support/downloadChild.ts');
  const child = spawn(process.execPath, [script, hub.url, home, String(partBytes), String(stall.windowMs)], {
    stdio: 'ignore',
  });
  const exit = once(child, 'exit');
  while (hub.sentBytes('model.safetensors') < bytes && child.exitCode === null) await sleep(5);
  child.kill('SIGKILL');
  await exit;
  return child.signalCode === 'SIGKILL' ? 1 : 0;
}

describe('a download', () => {
  test(
    '200 random fault schedules end in the right bytes or in a clear error, never in a wrong model',
    { timeout: 900_000 },
    async () => {
      const first = Number(process.env['NEMOFLASH_SEED'] ?? Date.now() % 1_000_000);
      console.log(`seeds ${first} to ${first + 199} (NEMOFLASH_SEED=${first} repeats them)`);
      const small = smallRepo(first);
      let [done, kills] = [0, 0];
      for (let seed = first; seed < first + 200; seed++) {
        const random = randomOf(seed);
        const faults = Array.from({ length: 1 + random.below(5) }, () => randomFault(random, smallBytes));
        const isKilled = seed % killedOneIn === 0;
        const speed = isKilled ? { bytesPerSecond: smallBytes } : {};
        const hub = await hubWith({ faults, repos: { [repo]: small }, ...speed });
        const root = memoryFolder();
        if (isKilled) kills += await killOnTheWay(hub, root, random.below((3 * smallBytes) / 4));
        const { service, home } = await serviceFor(hub, root, { transfer: { ...transfer, stall } });
        const status = await fetchAll(service);
        const installed = await service.list();
        if (status.state === 'done') {
          done++;
          expect(installed, `seed ${seed}`).toHaveLength(1);
          expectSame(installed[0]?.folder ?? '', small);
        } else {
          expect(installed, `seed ${seed}`).toHaveLength(0);
          expect(status.reason?.message, `seed ${seed}`).toMatch(/\w+/);
          // What was kept is good: without faults the same download ends well.
          hub.faults.clear();
          await service.resume({ repo });
          expect((await service.settled(repo)).state, `seed ${seed}`).toBe('done');
          expectSame((await service.list())[0]?.folder ?? '', small);
        }
        expect(
          readdirSync(path.join(home.modelsFolder, 'models--nvidia--Nemotron-Flash-3B-Instruct', 'snapshots')),
        ).toHaveLength(1);
        await closeAll();
      }
      removeFolder(small);
      expect(done).toBeGreaterThan(100);
      expect(kills).toBeGreaterThan(0);
    },
  );

  test('pauses, keeps what it has, and goes on after a restart of the app', async () => {
    const hub = await hubWith({ bytesPerSecond: 400_000 });
    const root = folder();
    const first = await serviceFor(hub, root);
    await first.service.download({ repo, revision: 'main', acceptLicence: true });
    while (((await first.service.downloads())[0]?.doneBytes ?? 0) < 200_000) await sleep(10);
    expect((await first.service.pause({ repo })).state).toBe('paused');
    const kept = (await first.service.downloads())[0]?.doneBytes ?? 0;
    await first.service.close();
    const sent = hub.sentBytes('model.safetensors');

    const second = await serviceFor(hub, root);
    expect((await second.service.downloads())[0]).toMatchObject({ state: 'paused', doneBytes: kept });
    await second.service.resume({ repo });
    expect((await second.service.settled(repo)).state).toBe('done');
    expectSame((await second.service.list())[0]?.folder ?? '');
    // What is fetched twice is what was in flight: at most a part per lane here.
    expect(hub.sentBytes('model.safetensors') - sent).toBeLessThanOrEqual(weightBytes - kept + 4 * partBytes);
  });

  test('a disk that is too full pauses it with a message, and nothing is fetched', async () => {
    const hub = await hubWith();
    const { service } = await serviceFor(hub, folder(), { reserveBytes: 1e18 });
    const status = await fetchAll(service);
    expect(status.state).toBe('paused');
    expect(status.reason?.code).toBe('DISK_FULL');
    expect(hub.sentBytes('model.safetensors')).toBe(0);
  });

  test('the switch "never use the network" lets no request out', async () => {
    const hub = await hubWith();
    const { service, settings } = await serviceFor(hub);
    await settings.update({ hub: { ...settings.current.hub, offline: true } });
    await expect(service.describe({ repo })).rejects.toMatchObject({ code: 'OFFLINE' });
    expect((await service.hub.test({ part: 'endpoint' })).problem?.code).toBe('OFFLINE');
    expect(hub.requests).toHaveLength(0);
    expect(service.hub.requests()).toHaveLength(0);
  });

  test('the token goes to the hub only, and into no log', async () => {
    const hub = await hubWith({ gated: [repo], token: 'hf_secret' });
    const { service } = await serviceFor(hub);
    expect(await service.describe({ repo })).toMatchObject({ gated: true });
    expect((await fetchAll(service)).reason?.code).toBe('HUB_UNAUTHORISED');
    await service.hub.setToken({ token: 'hf_secret' });
    try {
      await service.resume({ repo });
      expect((await service.settled(repo)).state).toBe('done');
    } finally {
      await service.hub.setToken({ token: null });
    }
    expect(JSON.stringify(service.hub.requests())).not.toContain('hf_secret');
  });

  test('names that leave the folder are refused', async () => {
    const source = folder();
    cpSync(golden, source, { recursive: true });
    writeFileSync(path.join(source, 'README.md'), 'a');
    writeFileSync(path.join(source, 'readme.md'), 'b');
    const hub = await hubWith({ repos: { [repo]: source } });
    const { service } = await serviceFor(hub);
    await expect(service.describe({ repo })).rejects.toMatchObject({ code: 'UNSAFE_NAME' });
  });
});

describe('an installed model', () => {
  test('damage is found, and repair fetches the damaged file again', async () => {
    const hub = await hubWith();
    const { service } = await serviceFor(hub);
    await fetchAll(service);
    const [model] = await service.list();
    const weights = path.join(model?.folder ?? '', 'model.safetensors');
    truncateSync(weights, 1000);
    const modelId = model?.id ?? '';
    const report = await service.verify({ modelId });
    expect(report.ok).toBe(false);
    expect(report.files.filter((file) => !file.ok).map((file) => file.path)).toEqual(['model.safetensors']);
    const before = hub.sentBytes('config.json');
    expect((await service.repair({ modelId })).ok).toBe(true);
    expectSame((await service.list())[0]?.folder ?? '');
    // The description reads config.json; the download does not fetch it again.
    expect(hub.sentBytes('config.json') - before).toBeLessThan(
      2 * readFileSync(path.join(golden, 'config.json')).length,
    );
  });

  test('moves, is removed, comes back', async () => {
    const hub = await hubWith();
    const { service } = await serviceFor(hub);
    await fetchAll(service);
    const modelId = (await service.list())[0]?.id ?? '';
    const elsewhere = folder();
    const moved = await service.move({ modelId, folder: elsewhere });
    expect(moved.folder.startsWith(elsewhere)).toBe(true);
    expectSame(moved.folder);
    expect((await service.remove({ modelId })).freedBytes).toBe(moved.sizeBytes);
    expect(await service.list()).toHaveLength(0);
    await service.restore({ modelId });
    expect((await service.verify({ modelId })).ok).toBe(true);
  });

  test('a local folder is used in place; a broken one is refused with the reason', async () => {
    const hub = await hubWith();
    const { service, home } = await serviceFor(hub);
    const model = await service.import({ path: golden });
    expect(await service.resolve(model.id)).toBe(golden);
    expect((await service.verify({ modelId: model.id })).ok).toBe(true);
    expect((await service.remove({ modelId: model.id })).freedBytes).toBe(0);
    expectSame(golden);

    const broken = path.join(home.root, 'broken');
    mkdirSync(broken);
    cpSync(golden, broken, { recursive: true });
    truncateSync(path.join(broken, 'model.safetensors'), 50_000);
    await expect(service.import({ path: broken })).rejects.toMatchObject({ code: 'BAD_MODEL' });
    await expect(service.import({ path: home.root })).rejects.toMatchObject({ code: 'BAD_MODEL' });
  });
});
