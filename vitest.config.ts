import path from 'node:path';

import { defineConfig } from 'vitest/config';

/**
 * Four kinds of test by folder. Limits are for what hangs: on a machine with other work everything takes ten times as long,
 * and nothing waits for a limit when all is well.
 */
const project = (name: string, include: readonly string[], seconds: number, extra: object = {}) => ({
  extends: true as const,
  test: {
    name,
    include: [...include],
    testTimeout: seconds * 1000,
    hookTimeout: Math.max(120, seconds) * 1000,
    expect: { poll: { timeout: 500 * seconds, interval: 20 } },
    ...extra,
  },
});

export default defineConfig({
  test: {
    // A test that is skipped must say why in its name; one that is focused by mistake fails.
    allowOnly: false,
    reporters: ['default', './test/support/closingLine.ts'],
    environment: 'node',
    setupFiles: [path.join(import.meta.dirname, 'test', 'support', 'plainEnvironment.ts')],
    // Programs that tests start are compiled once, not hundreds of times; main/bin.mjs does the same for itself.
    env: { NODE_COMPILE_CACHE: path.join(import.meta.dirname, 'build', 'compile-cache') },
    maxWorkers: 2,
    projects: [
      project('unit', ['test/unit/**/*.test.{ts,tsx}'], 60),
      // One at a time: these use every core themselves.
      project('native', ['test/native/**/*.test.ts'], 300, { fileParallelism: false }),
      project('integration', ['test/integration/**/*.test.ts'], 240, { fileParallelism: false }),
      project('e2e', ['test/e2e/**/*.test.ts'], 240, { fileParallelism: false }),
    ],
  },
});
