/** One process at a time works on a download: the app and a command line may meet. */
import { open, readFile, rm, stat, utimes } from 'node:fs/promises';

import { AppError } from '../contract/errors.ts';

/** A holder touches its file more often than this; an older one was left by a process that died. */
const staleMs = 30_000;

/** What this process holds: a file with our own number that is not among them was left by a namesake. */
const held = new Set<string>();

/** Returns the function that gives the lock back. Throws BUSY while another living process holds it. */
export async function takeLock(file: string): Promise<() => Promise<void>> {
  for (let attempt = 0; ; attempt++) {
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(String(process.pid));
      await handle.close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (attempt > 2 || (await isHeld(file))) {
        throw new AppError('BUSY', 'Another Nemoflash is downloading this model. Wait for it, or stop it there.', {
          retryable: true,
        });
      }
      await rm(file, { force: true });
    }
  }
  held.add(file);
  const beat = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => undefined), staleMs / 3).unref();
  return async () => {
    clearInterval(beat);
    held.delete(file);
    await rm(file, { force: true });
  };
}

async function isHeld(file: string): Promise<boolean> {
  try {
    const [info, text] = await Promise.all([stat(file), readFile(file, 'utf8')]);
    const pid = Number(text);
    if (pid === process.pid) return held.has(file);
    return Date.now() - info.mtimeMs < staleMs && isAlive(pid);
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
