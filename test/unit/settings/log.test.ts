import { existsSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { AppError } from '../../../main/contract/errors.ts';
import { openLog } from '../../../main/log.ts';
import { testHome } from '../history/testHome.ts';

describe('the log', () => {
  test('writes one line per event, with date, level and fields', () => {
    const { logFile } = testHome();
    const log = openLog(logFile, () => new Date('2026-01-02T03:04:05Z'));
    log.info('app.started', { version: '1.0', port: 80 });
    log.warning('disk.low', { freeBytes: 5 });
    expect(readFileSync(logFile, 'utf8')).toBe(
      '2026-01-02T03:04:05.000Z info app.started version="1.0" port=80\n' +
        '2026-01-02T03:04:05.000Z warning disk.low freeBytes=5\n',
    );
  });

  test('of an error keeps name, code and places, never the message, which may quote what people wrote', () => {
    const { logFile } = testHome();
    const cause = new TypeError('my secret diary\nat home');
    openLog(logFile).error('chat.failed', new AppError('DISK', 'my secret diary', { cause }));
    const text = readFileSync(logFile, 'utf8');
    expect(text).not.toContain('diary');
    expect(text).toContain('AppError DISK');
    expect(text).toContain('caused by TypeError');
    expect(text).toContain('log.test.ts');
    expect(text.trimEnd().split('\n')).toHaveLength(1);
  });

  test('never grows beyond one full file and one older one', () => {
    const { logFile } = testHome();
    const log = openLog(logFile);
    for (let index = 0; index < 1500; index++) log.info('filler', { text: 'x'.repeat(3000) });
    expect(statSync(logFile).size).toBeLessThan(1_010_000);
    expect(statSync(`${logFile}.1`).size).toBeLessThan(1_010_000);
    expect(existsSync(`${logFile}.2`)).toBe(false);
    expect(readFileSync(logFile, 'utf8').endsWith('"\n')).toBe(true);
  });
});
