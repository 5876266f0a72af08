// `npm run fuzz -- --seconds 600 [--target json] [--seed 1]`: the native parsers on any bytes, under AddressSanitizer and
// UBSan, each for so long; with libFuzzer when clang++ is there, else with a driver of our own. The corpus grows in
// build/fuzz/corpus from run to run. Prints one JSON object per target; an input that crashes one is kept and named.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

const root = path.resolve(import.meta.dirname, '..');
const build = path.join(root, 'build', 'fuzz');
const golden = path.join(root, 'test', 'golden');
const targets = ['safetensors', 'config', 'json', 'weight_cache'];

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string', multiple: true, default: targets },
  },
});

const withLength = (json) => {
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([head, Buffer.from(json), Buffer.alloc(64)]);
};

/** A cache file with one section; the target makes its checksums right. */
function cacheFile() {
  const sections = [{ name: 'w', offset: 4096, bytes: 16, checksum: '0' }];
  const table = Buffer.from(JSON.stringify({ source: 's', format: 'int4', layout: 'l', sections }));
  const file = Buffer.alloc(4096 + 16 + table.length);
  file.write('NFWEIGHT', 'latin1');
  file.writeUInt32LE(1, 8);
  file.writeBigUInt64LE(4112n, 16);
  file.writeBigUInt64LE(BigInt(table.length), 24);
  table.copy(file, 4112);
  // The same without the section, small enough for many mutations a second.
  const small = Buffer.concat([
    file.subarray(0, 64),
    Buffer.from('{"source":"","format":"","layout":"","sections":[]}'),
  ]);
  small.writeBigUInt64LE(64n, 16);
  small.writeBigUInt64LE(BigInt(small.length - 64), 24);
  return { file, small };
}

/** Something to start from, once; what is found later lies beside it. */
function seed(target) {
  const folder = path.join(build, 'corpus', target);
  mkdirSync(folder, { recursive: true });
  const put = (name, bytes) => writeFileSync(path.join(folder, `seed-${name}`), bytes);
  if (target === 'safetensors') {
    put('one', withLength('{"a":{"dtype":"F32","shape":[4,4],"data_offsets":[0,64]}}'));
    put('two', withLength('{"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'));
  } else if (target === 'weight_cache') {
    const { file, small } = cacheFile();
    put('one', file);
    put('small', small);
  } else {
    for (const name of ['tiny', 'real-heads'])
      copyFileSync(path.join(golden, name, 'config.json'), path.join(folder, `seed-${name}`));
    put('kinds', '{"a":[1,-2.5e3,true,false,null,"\\u00e4\\n"],"b":{}}');
  }
  return folder;
}

function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) process.exit(status ?? 1);
}

const hasClang = spawnSync('clang++', ['--version']).status === 0;
const compiler = process.env.CXX ?? (hasClang ? 'clang++' : 'g++');
run('cmake', [
  '-S',
  'native',
  '-B',
  build,
  '-DNF_FUZZ=ON',
  '-DNF_CUDA=OFF',
  `-DCMAKE_CXX_COMPILER=${compiler}`,
  '-Wno-dev',
]);
run('cmake', ['--build', build, '--target', 'nf_fuzz', '--parallel', String(os.availableParallelism())]);

/** libFuzzer's closing statistics, or our driver's JSON line. */
function figuresOf(output) {
  const own = /^\{"executions".*\}$/m.exec(output);
  if (own) return JSON.parse(own[0]);
  const stat = (name) => Number(new RegExp(`stat::${name}:\\s+(\\d+)`).exec(output)?.[1] ?? 0);
  return { executions: stat('number_of_executed_units'), seconds: Number(values.seconds) };
}

function fuzz(target) {
  const folder = seed(target);
  const findings = path.join(build, 'findings', target);
  rmSync(path.join(findings, 'crash-input'), { force: true });
  mkdirSync(findings, { recursive: true });
  const program = path.join(build, 'native_tests', `nf_fuzz_${target}`);
  const flags = [`-max_total_time=${values.seconds}`, `-seed=${values.seed}`, '-print_final_stats=1', '-max_len=4096'];
  const env = {
    ...process.env,
    ASAN_OPTIONS: 'detect_leaks=1:allocator_may_return_null=1:abort_on_error=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:abort_on_error=1',
  };
  const child = spawn(program, [folder, ...flags], { cwd: findings, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => (output = (output + data).slice(-20_000)));
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      const kept = readdirSync(findings).filter(
        (name) => name.startsWith('crash') && existsSync(path.join(findings, name)),
      );
      const isSound = code === 0;
      if (!isSound) process.stderr.write(`${output}\n`);
      const where = isSound ? [] : kept.map((name) => path.relative(root, path.join(findings, name)));
      const inputs = readdirSync(folder).length;
      process.stdout.write(
        `${JSON.stringify({ target, ...figuresOf(output), inputs, isSound, findings: where, signal })}\n`,
      );
      resolve(isSound);
    });
  });
}

const waiting = [...values.target];
let sound = true;
async function worker() {
  for (let target = waiting.shift(); target !== undefined; target = waiting.shift())
    sound = (await fuzz(target)) && sound;
}
await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
process.exitCode = sound ? 0 : 1;
