/**
 * A process of its own for addon.test.ts: what it does is named by the first argument. It leaves in the middle of work,
 * which must neither hang nor crash.
 */
import process from 'node:process';
import { Worker, isMainThread } from 'node:worker_threads';

import { loadAddon } from '../../main/engine/addon.ts';
import type { NativeSession } from '../../main/engine/addon.ts';
import { greedy, loadOptions } from './nativeRequests.ts';

async function openSession(): Promise<NativeSession> {
  const model = await loadAddon().loadModel(loadOptions('synthetic:tiny'));
  return model.createSession({ maxPositions: 4096 });
}

function generateLong(session: NativeSession, onFirst: () => void): Promise<unknown> {
  let isFirst = true;
  return session.generate(
    {
      ...{ start: 'empty', saveFirst: false, tokens: Int32Array.of(5, 6, 7), saveAfter: [3] },
      ...{ sampling: { ...greedy, ignoreEnd: true }, maxNewTokens: 4000 },
    },
    () => {
      if (isFirst) onFirst();
      isFirst = false;
    },
  );
}

async function run(action: string | undefined): Promise<void> {
  switch (action) {
    case 'exit-while-generating': {
      void generateLong(await openSession(), () => process.exit(7));
      return;
    }
    case 'end-while-generating': {
      // A pending answer keeps the process alive until it is there.
      void generateLong(await openSession(), () => undefined).then(() => process.stdout.write('answered\n'));
      return;
    }
    case 'idle': {
      // An engine that has nothing to do does not.
      await openSession();
      process.stdout.write('idle\n');
      return;
    }
    case 'terminate-worker': {
      const worker = new Worker(new URL(import.meta.url), { argv: ['worker'] });
      await new Promise((resolve) => worker.once('message', resolve));
      await worker.terminate();
      process.stdout.write('terminated\n');
      return;
    }
    case 'worker': {
      const { parentPort } = await import('node:worker_threads');
      void generateLong(await openSession(), () => parentPort?.postMessage('generating'));
      return;
    }
    default:
      throw new Error(`unknown action ${action} (${isMainThread ? 'main' : 'worker'})`);
  }
}

await run(process.argv[2]);
