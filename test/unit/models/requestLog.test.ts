import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { expect, test } from 'vitest';

import type { NetworkRequest } from '../../../main/contract/domain.ts';
import { RequestLog } from '../../../main/models/requestLog.ts';
import { testHome } from '../../support/home.ts';

const entry = (at: number): NetworkRequest => ({
  at,
  host: 'hub.invalid',
  purpose: 'file',
  status: 206,
  receivedBytes: 5,
  durationMs: 3,
  problem: null,
});

test('requests of earlier runs are listed, newest first; a line that cannot be read costs only itself', () => {
  const file = path.join(testHome(), 'requests.jsonl');
  new RequestLog(file).add(entry(1));
  appendFileSync(file, '{"at": 2, "ho\n');
  const log = new RequestLog(file);
  log.add(entry(3));
  expect(log.list().map(({ at }) => at)).toEqual([3, 1]);
});

test('the file stays small: an older one is kept, and none beyond', () => {
  const folder = testHome();
  const file = path.join(folder, 'requests.jsonl');
  const log = new RequestLog(file);
  for (let round = 0; round < 3; round++) {
    log.add(entry(round));
    appendFileSync(file, `${JSON.stringify(entry(0))}\n`.repeat(20_000));
  }
  log.add(entry(9));
  expect(readdirSync(folder).sort()).toEqual(['requests.jsonl', 'requests.jsonl.1']);
  expect(readFileSync(file, 'utf8').length).toBeLessThan(1000);
  expect(log.list()[0]?.at).toBe(9);
});

test('a folder that may not be written loses the file, not the list', () => {
  const log = new RequestLog('/dev/null/requests.jsonl');
  log.add(entry(1));
  expect(log.list()).toEqual([entry(1)]);
});
