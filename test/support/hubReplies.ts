/** How the loopback hub sends: refusals as JSON, files piece by piece. */
import { open } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import type { HubFile } from './hubRepo.ts';

const chunkBytes = 1024 * 1024;

/** Sends bytes from..to of a file, at most `rate` of them a second; the one at `wrongAt` is bent. */
export async function pump(job: {
  readonly file: HubFile;
  readonly from: number;
  readonly to: number;
  readonly rate: number;
  readonly wrongAt: number;
  /** Counts what was handed to the connection. */
  readonly record: { sentBytes: number };
  readonly response: ServerResponse;
}): Promise<void> {
  const { response, record, wrongAt } = job;
  const step = Math.max(1, Math.min(chunkBytes, Math.ceil(job.rate / 50)));
  const handle = await open(job.file.source);
  const buffer = Buffer.allocUnsafe(Math.min(step, Math.max(1, job.to - job.from)));
  try {
    for (let at = job.from; at < job.to && !response.destroyed;) {
      const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, job.to - at), at);
      if (bytesRead === 0) throw new Error(`${job.file.path} became shorter`);
      if (wrongAt >= at && wrongAt < at + bytesRead) buffer[wrongAt - at] = ~(buffer[wrongAt - at] ?? 0) & 0xff;
      record.sentBytes += bytesRead;
      at += bytesRead;
      await handedOver(response, buffer.subarray(0, bytesRead));
      if (Number.isFinite(job.rate)) await sleep((1000 * bytesRead) / job.rate);
    }
  } finally {
    await handle.close();
  }
}

/** Writes; resolves when the system has taken the bytes, so that their buffer may be filled anew. */
function handedOver(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      response.off('close', go);
      resolve();
    };
    response.on('close', go);
    response.write(bytes, go);
    if (response.destroyed) go();
  });
}

export function reply(response: ServerResponse, status: number, body: unknown, errorCode?: string): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(errorCode === undefined ? {} : { 'x-error-code': errorCode }),
  });
  response.end(JSON.stringify(body));
}
