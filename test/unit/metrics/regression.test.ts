import { describe, expect, it } from 'vitest';

import type { Environment } from '../../../main/contract/metrics.ts';
import { environmentOf } from '../../../main/metrics/environment.ts';
import { findRegression } from '../../../main/metrics/regression.ts';
import { scriptedModel } from '../../support/scriptedEngine.ts';

const report = { devices: [], cudaReason: 'none here' };
const environment = (change: { appVersion?: string; engineBuild?: string; threads?: number }): Environment => {
  const { appVersion = '1.0.0', engineBuild = 'abc', threads = 1 } = change;
  return environmentOf({ appVersion, engineBuild }, { ...scriptedModel, threads }, report);
};
const old = environment({});
const updated = environment({ appVersion: '1.1.0' });
const around = (centreNs: number, spreadNs: number): number[] =>
  [-1, -0.5, 0, 0.5, 1, 0.2].map((step) => centreNs + step * spreadNs);

describe('environment', () => {
  it('has the same name when all is the same, and another when anything differs', () => {
    expect(environment({}).hash).toBe(old.hash);
    const others = [updated, environment({ engineBuild: 'abd' }), environment({ threads: 2 })];
    expect(new Set([old, ...others].map(({ hash }) => hash)).size).toBe(4);
    expect(old.hash).toMatch(/^[0-9a-f]{12}$/);
  });
});

describe('regression notice', () => {
  it('tells of a median that moved by more than its usual spread, and names what changed', () => {
    const found = findRegression({ environment: updated, itlNs: around(3.3e6, 2e4) }, [
      { environment: old, itlNs: around(3e6, 2e4) },
    ]);
    expect(found).toMatchObject({ changed: ['appVersion'], answersBefore: 6, answersAfter: 6 });
    expect(found!.afterNs / found!.beforeNs).toBeCloseTo(1.1, 2);
  });

  it('tells of improvements too', () => {
    const earlier = [{ environment: old, itlNs: around(3e6, 2e4) }];
    expect(findRegression({ environment: updated, itlNs: around(2.5e6, 2e4) }, earlier)).not.toBeNull();
  });

  it('keeps silent within the usual spread', () => {
    const earlier = [{ environment: old, itlNs: around(3e6, 4e5) }];
    expect(findRegression({ environment: updated, itlNs: around(3.3e6, 4e5) }, earlier)).toBeNull();
  });

  it('keeps silent about too few answers, and about a speed the user chose', () => {
    const slow = around(6e6, 1e4);
    const earlier = [{ environment: old, itlNs: around(3e6, 1e4) }];
    expect(findRegression({ environment: updated, itlNs: slow.slice(0, 4) }, earlier)).toBeNull();
    expect(findRegression({ environment: environment({ threads: 2 }), itlNs: slow }, earlier)).toBeNull();
    expect(findRegression({ environment: old, itlNs: slow }, earlier)).toBeNull();
  });

  it('compares with the newest of the earlier environments', () => {
    const earlier = [
      { environment: environment({ appVersion: '1.0.9' }), itlNs: around(3e6, 1e4) },
      { environment: old, itlNs: around(9e6, 1e4) },
    ];
    expect(findRegression({ environment: updated, itlNs: around(3e6, 1e4) }, earlier)).toBeNull();
  });
});
