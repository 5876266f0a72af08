// A synthetic model downloaded from the loopback hub through `models pull`, killed five times on the way, then once more
// without a kill. Prints sizes, bytes fetched twice and speed as JSON. Usage: node downloadThroughput.ts [GB] [FOLDER]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

import { startHub } from './hub.ts';

const sizeBytes = Math.round(Number(process.argv[2] ?? 3) * 1e9);
const work = mkdtempSync(path.join(process.argv[3] ?? tmpdir(), 'nemoflash-throughput-'));
const repo = 'nvidia/synthetic';
const weights = 'model.safetensors';

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
  await handle.close();
  return folder;
}

const hub = await startHub({ repos: { [repo]: await makeRepo() } });
const pull = (home: string) => {
  const args = ['models', 'pull', repo, '--accept-license', '--json', '--home', path.join(work, home)];
  const env = { ...process.env, HF_ENDPOINT: hub.url, HF_HOME: path.join(work, 'hf') };
  return spawn(process.execPath, [path.join(import.meta.dirname, 'modelsCli.ts'), ...args], { env, stdio: 'ignore' });
};

try {
  for (let kill = 1; kill <= 5; kill++) {
    const child = pull('killed');
    while (hub.sentBytes(weights) < (sizeBytes * kill) / 6 && child.exitCode === null) await sleep(2);
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const [exitCode] = (await once(pull('killed'), 'exit')) as [number];
  const refetchedBytes = hub.sentBytes(weights) - sizeBytes;
  rmSync(path.join(work, 'killed'), { recursive: true });

  const startedAt = performance.now();
  const [straightCode] = (await once(pull('straight'), 'exit')) as [number];
  const seconds = (performance.now() - startedAt) / 1000;
  const mbPerSecond = Math.round(sizeBytes / 1e6 / seconds);
  console.log(JSON.stringify({ sizeBytes, kills: 5, exitCode, refetchedBytes, straightCode, seconds, mbPerSecond }));
} finally {
  await hub.close();
  rmSync(work, { recursive: true, force: true });
}
