/** The loopback hub in a process of its own, for measurements: what it costs is then not counted as the downloader's. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';

import { startHub } from './hub.ts';

export interface HubProcess {
  readonly url: string;
  /** Body bytes of one file, or of all, sent so far. */
  sentBytes(file?: string): Promise<number>;
  close(): Promise<void>;
}

/** Serves the folder `folder` as the repository `repo`. */
export async function startHubProcess(repo: string, folder: string): Promise<HubProcess> {
  const child = fork(import.meta.filename, [repo, folder]);
  const [url] = (await once(child, 'message')) as [string];
  return {
    url,
    async sentBytes(file) {
      child.send({ file });
      const [bytes] = (await once(child, 'message')) as [number];
      return bytes;
    },
    async close() {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

if (import.meta.main) {
  const [repo = '', folder = ''] = process.argv.slice(2);
  const hub = await startHub({ repos: { [repo]: folder } });
  process.on('message', ({ file }: { readonly file?: string }) => process.send?.(hub.sentBytes(file)));
  process.on('disconnect', () => void hub.close());
  process.send?.(hub.url);
}
