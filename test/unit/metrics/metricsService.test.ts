import { describe, expect, it, onTestFinished, vi } from 'vitest';

import type { GenerationStats, Message } from '../../../main/contract/domain.ts';
import type { GeneratedToken, GenerateResult } from '../../../main/engine/engineApi.ts';
import { silentLog } from '../../../main/log.ts';
import { MetricsService } from '../../../main/metrics/metricsService.ts';
import { MetricsStore } from '../../../main/metrics/metricsStore.ts';
import { StartupClock } from '../../../main/metrics/startupClock.ts';
import { fakeStats } from '../chat/fakeEngine.ts';
import { scriptedEngine } from '../../support/scriptedEngine.ts';
import { openTestHistory, testHome } from '../history/testHome.ts';

const messageOf = (id: string, stats: GenerationStats): Message => ({
  ...{ id, chatId: 'c', parentId: null, role: 'assistant', content: '', createdAt: 1, status: 'complete', error: null },
  stats,
});

/** Tokens 2 ms apart, but the one at `slowIndex` comes 30 ms after the one before. */
function resultWith(n: number, slowIndex: number, baseNs = 1e9): GenerateResult {
  let stampNs = baseNs;
  const tokens = Array.from({ length: n }, (_, index): GeneratedToken => {
    stampNs += index === slowIndex ? 30e6 : 2e6;
    const slow = index === slowIndex ? 28e6 : 1e6;
    const classNs = [1e3, 2e5, 3e5, slow, 4e5, 5e5, 6e3];
    return { token: index, logprob: 0, top: [], stampNs, forwardNs: 1.9e6, sampleNs: 6e3, classNs };
  });
  return { text: '', tokens, textTokens: new Int32Array(0), stats: fakeStats(n, 'stop') };
}

async function openMetrics(options: { appVersion?: string; home?: ReturnType<typeof testHome> } = {}) {
  const { appVersion = '1.0.0', home = testHome() } = options;
  const { database } = openTestHistory(home);
  const store = new MetricsStore(database);
  const engine = scriptedEngine();
  const startup = new StartupClock(store, appVersion);
  const build = async () => ({ appVersion, engineBuild: 'abc' });
  const metrics = new MetricsService({ engine, store, startup, log: silentLog, build, now: () => 42 });
  onTestFinished(() => metrics.dispose());
  metrics.onStatus(engine.status);
  await metrics.environment();
  return { metrics, store, startup, home, database };
}

describe('a measured answer', () => {
  it('is kept with its environment, its anatomy and its worst tokens', async () => {
    const { metrics } = await openMetrics();
    const result = resultWith(64, 40);
    metrics.onGenerated(result, 2e9);
    metrics.onAnswered(messageOf('m', result.stats));
    const record = metrics.answer({ messageId: 'm' })!;
    expect(record).toMatchObject({ messageId: 'm', at: 42, stats: result.stats, ipcNs: null });
    expect(record.environment).toBe((await metrics.environment()).hash);
    expect(record.ttstNs).toBe(result.stats.ttftNs + 2e6);
    expect(record.worst[0]).toMatchObject({ index: 40, gapNs: 30e6, classNs: result.tokens[40]!.classNs });
    expect(record.worst).toHaveLength(10);
    expect(record.anatomy).toEqual({
      medianNs: [1e3, 2e5, 3e5, 1e6, 4e5, 5e5, 6e3],
      worstNs: [1e3, 2e5, 3e5, 28e6, 4e5, 5e5, 6e3],
    });
    expect(metrics.answers({ limit: 10 })).toEqual([record]);
    const { session } = metrics.overview();
    expect(session.itl.total).toBe(63);
    expect(session.itl.percentiles!.max).toBe(30e6);
  });

  it('says what else went on while its worst token was made', async () => {
    const { metrics } = await openMetrics();
    const nowMs = performance.now();
    const clock = vi.spyOn(performance, 'now').mockReturnValue(nowMs);
    onTestFinished(() => clock.mockRestore());
    const result = resultWith(8, 5, 0);
    // The engine's clock stands at 100 ms now; the slow token took from 10 to 40 ms of it.
    metrics.timeline.note('gc', nowMs - 100 + 15, nowMs - 100 + 20);
    metrics.timeline.note('download', nowMs - 100 + 60, nowMs - 100 + 70);
    metrics.onGenerated(result, 100e6);
    metrics.onAnswered(messageOf('m', result.stats));
    const [worst, next] = metrics.answer({ messageId: 'm' })!.worst;
    expect(worst!.meanwhile).toEqual([{ kind: 'gc', durationNs: expect.closeTo(5e6, -3) }]);
    expect(next!.meanwhile).toEqual([]);
  });

  it('takes what the page saw of it, as series of their own', async () => {
    const { metrics } = await openMetrics();
    const result = resultWith(8, 5);
    metrics.onGenerated(result, 2e9);
    metrics.onAnswered(messageOf('m', result.stats));
    metrics.page({ messageId: 'm', ipcNs: [1e5, 2e5, 3e5], paintNs: [8e6] });
    metrics.page({ messageId: 'unknown', ipcNs: [1e5], paintNs: [] });
    const record = metrics.answer({ messageId: 'm' })!;
    expect(record.ipcNs!.max).toBe(3e5);
    expect(record.paintNs!.p50 / 8e6).toBeCloseTo(1, 2);
    expect(record.stats).toEqual(result.stats);
    expect(metrics.overview().session.ipc.total).toBe(4);
  });

  it('costs no answer when the disk refuses it', async () => {
    const { metrics, database } = await openMetrics();
    database.close();
    const result = resultWith(8, 5);
    expect(() => metrics.onGenerated(result, 2e9)).not.toThrow();
    expect(() => metrics.onAnswered(messageOf('m', result.stats))).not.toThrow();
  });
});

describe('after an update', () => {
  it('tells that answers became slower, with numbers and with what changed', async () => {
    const old = await openMetrics();
    const slower = (share: number): GenerateResult => {
      const result = resultWith(64, 40);
      const { itlNs } = result.stats;
      return { ...result, stats: { ...result.stats, itlNs: { ...itlNs!, p50: share * itlNs!.p50 } } };
    };
    for (let answer = 0; answer < 6; answer += 1) old.metrics.onGenerated(slower(1 + answer / 1000), 2e9);
    expect(old.metrics.overview().regression).toBeNull();
    const updated = await openMetrics({ appVersion: '1.1.0', home: old.home });
    for (let answer = 0; answer < 6; answer += 1) updated.metrics.onGenerated(slower(1.1 + answer / 1000), 2e9);
    expect(updated.metrics.overview().regression).toMatchObject({ changed: ['appVersion'], answersBefore: 6 });
  });
});

describe('the start', () => {
  it('is kept mark by mark, the page on the same clock, and only the first of a kind', async () => {
    const { database } = openTestHistory(testHome());
    const store = new MetricsStore(database);
    let nowMs = 120;
    const clock = new StartupClock(store, '1.0.0', () => nowMs);
    nowMs = 300;
    clock.mark('shell');
    nowMs = 900;
    clock.pageMarks({ pageBegin: 0, firstPaint: 210, composer: 260 }, 500);
    clock.mark('shell');
    const [startup] = clock.list(5);
    expect(startup!.marksMs).toEqual({
      ...{ process: 0, services: 120, shell: 300 },
      ...{ pageBegin: 400, firstPaint: 610, composer: 660 },
    });
  });
});
