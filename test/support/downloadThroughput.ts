/**
 * `npm run bench:download [-- GB [FOLDER]]`: a synthetic model fetched from a loopback hub, in a process of its own,
 * through `models pull`: killed five times on the way and finished, then once more without a kill. Prints bytes fetched
 * twice, speed, processor time and memory as JSON.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

import { defaultTransfer } from '../../main/models/modelsOptions.ts';
import { startHubProcess } from './hubProcess.ts';

const sizeBytes = Math.round(Number(process.argv[2] ?? 3) * 1e9);
const work = mkdtempSync(path.join(process.argv[3] ?? tmpdir(), 'nemoflash-throughput-'));
const repo = 'nvidia/synthetic';
const weights = 'model.safetensors';
const kills = 5;

async function makeRepo(): Promise<string> {
  const folder = path.join(work, 'repo');
  mkdirSync(folder);
  cpSync(path.resolve(import.meta.dirname, '../golden/tiny/config.json'), path.join(folder, 'config.json'));
  const handle = await open(path.join(folder, weights), 'w');
  const block = randomBytes(8_000_000);
  for (let at = 0; at < sizeBytes; at += block.length) {
    block.writeUInt32LE(at / block.length);
    await handle.write(block, 0, Math.min(block.length, sizeBytes - at), at);
  }
  await handle.sync();
  await handle.close();
  return folder;
}

interface Usage {
  readonly cpuSeconds: number;
  readonly maxRssBytes: number;
}

const hub = await startHubProcess(repo, await makeRepo());

function cli(home: string, ...args: readonly string[]) {
  const usageFile = path.join(work, `${home}.usage`);
  const env = { ...process.env, HF_ENDPOINT: hub.url, HF_HOME: path.join(work, 'hf'), NEMOFLASH_USAGE_FILE: usageFile };
  const words = ['models', ...args, '--json', '--home', path.join(work, home)];
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'modelsCli.ts'), ...words], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return { child, usage: () => JSON.parse(readFileSync(usageFile, 'utf8')) as Usage };
}

const pull = (home: string) => cli(home, 'pull', repo, '--accept-license');

async function killedAndFinished() {
  const before = await hub.sentBytes(weights);
  const sent = async () => (await hub.sentBytes(weights)) - before;
  for (let kill = 1; kill <= kills; kill++) {
    const { child } = pull('killed');
    const exit = once(child, 'exit');
    while ((await sent()) < (sizeBytes * kill) / (kills + 1) && child.exitCode === null) await sleep(5);
    child.kill('SIGKILL');
    await exit;
  }
  const [exitCode] = (await once(pull('killed').child, 'exit')) as [number];
  const refetchedBytes = (await sent()) - sizeBytes;
  rmSync(path.join(work, 'killed'), { recursive: true });
  return { kills, exitCode, refetchedBytes, refetchedBytesPerKill: refetchedBytes / kills };
}

async function straight() {
  const idle = cli('idle', 'list');
  await once(idle.child, 'exit');
  const startedAt = performance.now();
  const { child, usage } = pull('straight');
  const [exitCode] = (await once(child, 'exit')) as [number];
  const seconds = (performance.now() - startedAt) / 1000;
  const { cpuSeconds, maxRssBytes } = usage();
  return {
    exitCode,
    seconds,
    mbPerSecond: sizeBytes / 1e6 / seconds,
    cores: cpuSeconds / seconds,
    cpuSecondsPerGb: cpuSeconds / (sizeBytes / 1e9),
    // Of a command that fetches nothing: part of the figures above, whatever the size.
    startCpuSeconds: idle.usage().cpuSeconds,
    memoryAboveIdleMb: (maxRssBytes - idle.usage().maxRssBytes) / 1e6,
  };
}

const rounded = (record: object) =>
  JSON.stringify(record, (_key, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value,
  );

try {
  const machine = `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} threads`;
  console.log(rounded({ machine, sizeBytes, partBytes: defaultTransfer.partBytes, lanes: defaultTransfer.lanes }));
  console.log(rounded({ run: 'straight', ...(await straight()) }));
  rmSync(path.join(work, 'straight'), { recursive: true });
  console.log(rounded({ run: 'killed', ...(await killedAndFinished()) }));
} finally {
  await hub.close();
  rmSync(work, { recursive: true, force: true });
}
