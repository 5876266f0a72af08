import { defineConfig } from 'vitest/config';

/** Four kinds of test by folder. Native and browser tests get room: they build, load and drive real programs. */
const project = (name: string, include: readonly string[], seconds: number, extra: object = {}) => ({
  extends: true as const,
  test: {
    name,
    include: [...include],
    testTimeout: seconds * 1000,
    hookTimeout: Math.max(60, seconds) * 1000,
    ...extra,
  },
});

export default defineConfig({
  test: {
    // A test that is skipped must say why in its name; one that is focused by mistake fails.
    allowOnly: false,
    reporters: ['default', './test/support/closingLine.ts'],
    environment: 'node',
    maxWorkers: 2,
    projects: [
      project('unit', ['test/unit/**/*.test.{ts,tsx}'], 20),
      // One at a time: these use every core themselves.
      project('native', ['test/native/**/*.test.ts'], 300, { fileParallelism: false }),
      project('integration', ['test/integration/**/*.test.ts'], 120, { fileParallelism: false }),
      project('e2e', ['test/e2e/**/*.test.ts'], 120, { fileParallelism: false }),
    ],
  },
});
