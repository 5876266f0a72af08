/** What a measurement was made with, and a short name for it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';

import type { DeviceReport, LoadedModel } from '../contract/domain.ts';
import type { Environment } from '../contract/metrics.ts';

const shortHash = (hex: string): string => hex.slice(0, 12);

/** Names the build of the native engine by the contents of its file. Rejects when it cannot be read. */
export async function engineBuildOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return shortHash(hash.digest('hex'));
}

export interface Build {
  readonly appVersion: string;
  readonly engineBuild: string;
}

export function environmentOf(build: Build, model: LoadedModel, report: DeviceReport): Environment {
  const device = report.devices.find(
    (entry) => entry.kind === model.device && (model.device === 'cpu' || entry.index === model.deviceIndex),
  );
  const fields = {
    appVersion: build.appVersion,
    engineBuild: build.engineBuild,
    platform: `${process.platform}-${process.arch}`,
    deviceKind: model.device,
    device: model.deviceName,
    driver: device?.features ?? '',
    model: model.source,
    format: model.format,
    threads: model.threads,
  };
  // The order of the fields is part of the hash.
  return {
    hash: shortHash(
      createHash('sha256')
        .update(JSON.stringify(Object.values(fields)))
        .digest('hex'),
    ),
    ...fields,
  };
}

/** Fields whose change is nobody's choice of another speed: after it, the same speed is expected. */
const silentFields = ['appVersion', 'engineBuild', 'driver'] as const satisfies readonly (keyof Environment)[];
const chosenFields = [
  'platform',
  'deviceKind',
  'device',
  'model',
  'format',
  'threads',
] as const satisfies readonly (keyof Environment)[];

/** Whether one environment can be expected to be as fast as the other: only the app or the driver changed. */
export function isComparable(a: Environment, b: Environment): boolean {
  return chosenFields.every((field) => a[field] === b[field]);
}

export function changedFields(a: Environment, b: Environment): readonly (keyof Environment)[] {
  return silentFields.filter((field) => a[field] !== b[field]);
}
