// `npm run test:sanitize`: the native tests again under AddressSanitizer and UndefinedBehaviorSanitizer, CPU only.
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const build = path.join(root, 'build', 'sanitize');

function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  if (status !== 0) process.exit(status ?? 1);
}

run('cmake', [
  '-S',
  'native',
  '-B',
  build,
  '-DNF_SANITIZE=ON',
  '-DNF_CUDA=OFF',
  '-DCMAKE_BUILD_TYPE=RelWithDebInfo',
  '-Wno-dev',
]);
run('cmake', ['--build', build, '--target', 'nf_tests', '--parallel', String(os.availableParallelism())]);
run(path.join(build, 'native_tests', 'nf_tests'), [], {
  ASAN_OPTIONS: 'detect_leaks=1:strict_string_checks=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
});
