/** Builds the engine's own tests beside the addon, from its objects, and runs them; the C++ side prints a line per failure. */
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '..', '..');
const build = path.join(root, 'build', 'native');
const fifteenMinutesMs = 900_000;

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  const output = `${stdout ?? ''}${stderr ?? ''}`;
  if (error) throw error;
  if (status !== 0) throw new Error(`${path.basename(command)} ended with code ${status}:\n${output.slice(-8000)}`);
  return output;
}

describe('the engine', () => {
  beforeAll(() => {
    // CUDA has its own run on a machine with a GPU: nf_check --device cuda.
    const jobs = String(Math.min(os.availableParallelism(), 8));
    run('cmake', ['--build', build, '--target', 'nf_tests', 'nf_check', '--parallel', jobs]);
  }, fifteenMinutesMs);

  test('passes its C++ tests', { timeout: fifteenMinutesMs }, () => {
    const output = run(path.join(build, 'native_tests', 'nf_tests'), []);
    expect(output).toMatch(/^[1-9]\d* passed, 0 failed$/m);
  });

  test.each(['f32', 'bf16', 'int8', 'mixed', 'int4'])(
    'meets the golden data and the oracle on the CPU in format %s',
    { timeout: fifteenMinutesMs },
    (format) => {
      const output = run(path.join(build, 'tools', 'nf_check'), ['--device', 'cpu', '--format', format]);
      expect(output).toMatch(/^[1-9]\d* passed, 0 failed$/m);
    },
  );
});
