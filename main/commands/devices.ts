/** `nemoflash devices`: what models can run on here. */
import process from 'node:process';

import type { Command } from 'commander';

import type { DeviceInfo } from '../contract/domain.ts';
import { createEngineService } from '../engine/engineService.ts';
import { formatBytes } from '../models/diskSpace.ts';

interface DevicesOptions {
  readonly json: boolean;
}

export function register(program: Command): void {
  program
    .command('devices')
    .description('List the devices a model can run on, and why there is no GPU among them.')
    .option('--home <folder>', 'accepted like everywhere; nothing is kept')
    .option('--json', 'print one JSON object', false)
    .action((options: DevicesOptions) => devices(options));
}

async function devices({ json }: DevicesOptions): Promise<void> {
  const engine = createEngineService();
  try {
    const report = await engine.devices();
    if (json) {
      process.stdout.write(`${JSON.stringify(report)}\n`);
      return;
    }
    for (const device of report.devices) process.stdout.write(`${describe(device)}\n`);
    if (report.cudaReason !== null) process.stdout.write(`No GPU: ${report.cudaReason}.\n`);
  } finally {
    await engine.dispose();
  }
}

function describe(device: DeviceInfo): string {
  const memory = `${formatBytes(device.memoryFreeBytes)} of ${formatBytes(device.memoryTotalBytes)} free`;
  const kind =
    device.kind === 'cpu'
      ? `cpu      ${device.name}, ${device.threads ?? 1} threads`
      : `cuda ${device.index}   ${device.name}, compute capability ${device.computeCapability ?? 'unknown'}`;
  return `${kind}, ${memory}, ${device.features}`;
}
