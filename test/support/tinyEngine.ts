/** An engine service for the tests of one file, beside a tiny checkpoint of its own; unloaded after every test. */
import { rmSync } from 'node:fs';
import path from 'node:path';

import { afterAll, afterEach, beforeAll } from 'vitest';

import type { EngineService } from '../../main/engine/engineApi.ts';
import { createEngineService } from '../../main/engine/engineService.ts';
import { freshFolder } from './home.ts';
import { writeTinyCheckpoint } from './tinyCheckpoint.ts';

export interface TinyEngine {
  /** Removed at the end. */
  readonly root: string;
  readonly tiny: string;
  readonly engine: EngineService;
}

/** Call it at the top of a test file. */
export function tinyEngine(): TinyEngine {
  const root = freshFolder('engine');
  const tiny = path.join(root, 'tiny');
  const engine = createEngineService();
  beforeAll(() => writeTinyCheckpoint(tiny));
  afterEach(() => engine.unload());
  afterAll(async () => {
    await engine.dispose();
    rmSync(root, { recursive: true });
  });
  return { root, tiny, engine };
}
