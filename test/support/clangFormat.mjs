// Checks (or with --write applies) clang-format over the native sources. Without the program: says so; fails in CI.
import { execFileSync, spawnSync } from 'node:child_process';

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'native', 'test/native'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /\.(cpp|h|cu|cuh)$/.test(file));
const candidates = ['clang-format', 'clang-format-14', 'clang-format-15', 'clang-format-16', 'clang-format-18'];
const program = candidates.find((name) => spawnSync(name, ['--version']).status === 0);

if (!program) {
  console.error('clang-format was not found: native sources were not checked (Debian: apt-get install clang-format)');
  process.exit(process.env.CI ? 1 : 0);
}
const mode = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '-Werror'];
const { status } = spawnSync(program, [...mode, ...files], { stdio: 'inherit' });
process.exit(status ?? 1);
