// `npm run native`, and the check before every start: builds build/native/Release/nemoflash.node when it is missing or
// older than its sources. Plain JavaScript, because it runs before anything else, on any Node from 20 on.
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

const root = path.resolve(import.meta.dirname, '..');
const sources = path.join(root, 'native');
const out = path.join(root, 'build', 'native');
export const addonFile = path.join(out, 'Release', 'nemoflash.node');
// As old as the start of the last build that went through: a source saved during it, or after it, is newer.
const stamp = path.join(out, 'built');

// Rooms that do not go into the addon.
const apart = new Set([path.join(sources, 'tools')]);
const isSource = /(\.(c|h|cc|cpp|hpp|cu|cuh)|CMakeLists\.txt|\.cmake|package\.json)$/;

function newestSourceMs(folder) {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) newest = apart.has(full) ? newest : Math.max(newest, newestSourceMs(full));
    else if (isSource.test(entry.name)) newest = Math.max(newest, statSync(full).mtimeMs);
  }
  return newest;
}

/** Whether the addon is there and newer than every source. Without sources (an installed app) what is there counts. */
export function isNativeCurrent() {
  if (!existsSync(addonFile)) return false;
  if (!existsSync(sources)) return true;
  return existsSync(stamp) && statSync(stamp).mtimeMs >= newestSourceMs(sources);
}

function has(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

function missingTools() {
  const missing = [];
  if (!has('cmake')) missing.push('cmake');
  if (process.platform !== 'win32' && !has('c++') && !has('g++') && !has('clang++') && !process.env.CXX)
    missing.push('g++');
  if (process.platform !== 'win32' && !has('ninja') && !has('make')) missing.push('make');
  return missing;
}

/** Runs cmake-js with this Node; progress goes to stderr, so that a command's stdout stays its own. */
function build() {
  const missing = missingTools();
  if (missing.length > 0) {
    throw new Error(
      `The native engine must be built, and ${missing.join(' and ')} cannot be found.\n` +
        'On Debian or Ubuntu: sudo apt-get install g++ cmake ninja-build',
    );
  }
  const cmakeJs = path.join(
    path.dirname(createRequire(import.meta.url).resolve('cmake-js/package.json')),
    'bin',
    'cmake-js',
  );
  // Compilers of this size want about a gigabyte each.
  const jobs = Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 2 ** 30)));
  const started = Date.now();
  const args = [
    cmakeJs,
    'build',
    '--directory',
    sources,
    '--out',
    out,
    '--parallel',
    String(jobs),
    '--log-level',
    'warn',
    // For a release: NF_CUDA_ARCHS=all (native/cuda/language.cmake).
    ...(process.env.NF_CUDA_ARCHS ? [`--CDNF_CUDA_ARCHS=${process.env.NF_CUDA_ARCHS}`] : []),
  ];
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (error || status !== 0) throw new Error('The native engine did not build; the compiler says why above.');
  writeFileSync(stamp, '');
  utimesSync(stamp, new Date(started), new Date(started));
  process.stderr.write(`Built the native engine in ${((Date.now() - started) / 1000).toFixed(0)} s.\n`);
}

/** One build at a time: tests and commands may start together. A lock whose owner is gone is taken over. */
async function withLock(action) {
  const lock = path.join(root, 'build', 'native.lock');
  mkdirSync(path.dirname(lock), { recursive: true });
  for (;;) {
    try {
      const file = openSync(lock, 'wx');
      writeSync(file, String(process.pid));
      closeSync(file);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!isRunning(readOwner(lock))) rmSync(lock, { force: true });
    else await sleep(200);
  }
  try {
    return action();
  } finally {
    rmSync(lock, { force: true });
  }
}

function readOwner(lock) {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    // Created a moment ago and not written yet: somebody's all the same.
    return pid > 0 ? pid : process.pid;
  } catch {
    return 0; // just removed
  }
}

function isRunning(pid) {
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Builds when needed. Throws an Error whose message is for people. */
export async function ensureNative() {
  if (isNativeCurrent()) return;
  await withLock(() => {
    if (isNativeCurrent()) return;
    process.stderr.write('Building the native engine (only when its sources change)...\n');
    build();
  });
}

if (process.argv[1] && path.resolve(process.argv[1]) === import.meta.filename) {
  try {
    // Asked for by name, so CMake decides what is out of date.
    await withLock(build);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
