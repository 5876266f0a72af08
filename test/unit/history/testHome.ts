/** A home folder for one test, removed after it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

import { silentLog } from '../../../main/log.ts';
import { openHistorySync } from '../../../main/history/history.ts';
import type { History } from '../../../main/history/history.ts';
import { makeHomeSync, resolveHome } from '../../../main/home.ts';
import type { Home } from '../../../main/home.ts';

export function testHome(): Home {
  const folder = mkdtempSync(path.join(tmpdir(), 'nemoflash-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return makeHomeSync(resolveHome(folder));
}

/** Opens the history of a home and closes it after the test. */
export function openTestHistory(home: Home, options: Parameters<typeof openHistorySync>[2] = {}): History {
  const history = openHistorySync(home, silentLog, options);
  onTestFinished(() => history.close());
  return history;
}
