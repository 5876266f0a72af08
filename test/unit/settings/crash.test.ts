import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { defaultSampling, defaultSettings } from '../../../main/contract/domain.ts';
import type { AppInfo } from '../../../main/contract/domain.ts';
import { AppError } from '../../../main/contract/errors.ts';
import { crashOf, crashSummaries, writeCrashReport } from '../../../main/crashReports.ts';
import { describeApp } from '../../../main/diagnostics.ts';
import { openLog } from '../../../main/log.ts';
import { RunRecord } from '../../../main/runRecord.ts';
import { testHome } from '../../support/home.ts';

/** No process has it: numbers end below. */
const deadPid = 2 ** 30;
const leftBehind = (folder: string, run: object) => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, `run-${deadPid}.json`), JSON.stringify(run));
};

describe('the record of a run', () => {
  it('says nothing after a run that came to its end', () => {
    const folder = testHome();
    const run = RunRecord.openSync(folder, '1.0');
    run.noteLoading('big');
    run.end();
    expect(readdirSync(folder)).toEqual([]);
    expect(RunRecord.openSync(folder, '1.0').crashed).toBeNull();
  });

  it('tells once of a run that did not, and what it was loading', () => {
    const folder = testHome();
    leftBehind(folder, { version: '0.9', startedAt: 5, loading: 'big' });
    expect(RunRecord.openSync(folder, '1.0').crashed).toEqual({ version: '0.9', startedAt: 5, loading: 'big' });
    expect(RunRecord.openSync(folder, '1.0').crashed).not.toMatchObject({ version: '0.9' });
  });

  it('leaves the record of a program that runs beside it', () => {
    const folder = testHome();
    const beside = path.join(folder, `run-${process.ppid}.json`);
    writeFileSync(beside, '{"version":"1.0","startedAt":1,"loading":null}');
    expect(RunRecord.openSync(folder, '1.0').crashed).toBeNull();
    expect(existsSync(beside)).toBe(true);
  });

  it('takes a damaged record for nothing', () => {
    const folder = testHome();
    writeFileSync(path.join(folder, `run-${deadPid}.json`), '{"version":');
    expect(RunRecord.openSync(folder, '1.0').crashed).toBeNull();
  });
});

describe('crash reports and diagnostics', () => {
  it('keep the ten newest reports', () => {
    const logFile = path.join(testHome(), 'nemoflash.log');
    for (let second = 0; second < 12; second += 1) {
      writeCrashReport(logFile, { kind: 'page', version: '1.0', detail: `${second}` }, new Date(second * 1000));
    }
    const summaries = crashSummaries(logFile);
    expect(summaries).toHaveLength(10);
    expect(summaries.at(-1)).toContain('page: 11');
  });

  it('hold no chat text, no token, no password and no name of a folder', () => {
    const logFile = path.join(testHome(), 'nemoflash.log');
    const log = openLog(logFile);
    log.info('model loaded', { folder: path.join(homedir(), 'models', 'x') });
    log.error('chat', new AppError('INTERNAL', 'dear diary'));
    log.info('odd', { text: 'Bearer hf_abcdefGHIJK123 http://mira:hunter2@proxy.example:8080 nf-0123456789abcdefXYZ' });
    writeCrashReport(logFile, crashOf('main', '1.0', new Error('dear diary')));
    const info = { version: '1.0', shell: 'web', notices: ['The chats were damaged.'], safeMode: true };
    const text = describeApp({
      info: info as unknown as AppInfo,
      settings: {
        ...defaultSettings,
        systemPrompt: 'dear diary',
        sampling: { ...defaultSampling, stop: ['dear diary'] },
        hub: { ...defaultSettings.hub, proxy: 'http://mira:hunter2@proxy.example:8080' },
      },
      status: { state: 'empty', lastError: { code: 'BAD_MODEL', message: 'dear diary', retryable: false } },
      devices: null,
      logFile,
    });
    for (const secret of ['diary', 'hunter2', 'hf_abc', 'nf-0123', homedir()]) expect(text).not.toContain(secret);
    for (const part of ['Nemoflash 1.0', 'safe mode', 'BAD_MODEL', 'AppError INTERNAL', 'were damaged', 'main: Error'])
      expect(text).toContain(part);
  });
});
