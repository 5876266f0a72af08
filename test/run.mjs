// `npm test`: builds what the tests exercise, then runs every project. Arguments go to vitest (npm test -- download).
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';

const root = path.resolve(import.meta.dirname, '..');
const bin = (name) => path.join(root, 'node_modules', '.bin', name);

function run(what, command, args) {
  const started = Date.now();
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error || status !== 0) {
    console.error(`\n${what} failed${error ? `: ${error.message}` : ` with exit code ${status}`}`);
    process.exit(status || 1);
  }
  console.log(`-- ${what}: ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

run('native build', 'npm', ['run', '--silent', 'native']);
run('page and main build', 'npm', ['run', '--silent', 'build']);
run('tests', bin('node'), [path.join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...process.argv.slice(2)]);
