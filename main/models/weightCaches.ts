/** Which weight formats of a model are made and kept, as files that can be made anew at any time. */
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';

import { keptFormats } from '../contract/domain.ts';
import type { KeptFormat, ModelFormat } from '../contract/domain.ts';
import { weightsFolder } from '../home.ts';

export class WeightCaches {
  readonly #cacheFolder: string;

  /** `cacheFolder`: of the app, for models that lie in a folder of the user's own. */
  constructor(cacheFolder: string) {
    this.#cacheFolder = cacheFolder;
  }

  folder(modelFolder: string): string {
    return weightsFolder(this.#cacheFolder, modelFolder);
  }

  list(modelFolder: string): Promise<readonly ModelFormat[]> {
    return Promise.all(keptFormats.map((format) => this.get(modelFolder, format)));
  }

  async get(modelFolder: string, format: KeptFormat): Promise<ModelFormat> {
    const file = this.#file(modelFolder, format);
    return { format, cachedBytes: await sizeOf(file), stoppedBytes: (await sizeOf(`${file}.part`)) ?? 0 };
  }

  /**
   * Also what a stopped conversion left. Returns the bytes freed: 0 when there was nothing. A model that is loaded from
   * the file goes on.
   */
  async remove(modelFolder: string, format: KeptFormat): Promise<number> {
    const file = this.#file(modelFolder, format);
    let freedBytes = 0;
    for (const name of [file, `${file}.part`, `${file}.journal`]) {
      freedBytes += (await sizeOf(name)) ?? 0;
      await rm(name, { force: true });
    }
    return freedBytes;
  }

  /** All formats of a model that goes. */
  async removeAll(modelFolder: string): Promise<number> {
    const formats = await this.list(modelFolder);
    await rm(this.folder(modelFolder), { recursive: true, force: true });
    return formats.reduce((sum, { cachedBytes, stoppedBytes }) => sum + (cachedBytes ?? 0) + stoppedBytes, 0);
  }

  /** Takes them along to the model's new folder; onto another disk they do not go, but are made anew there. */
  async move(from: string, to: string): Promise<void> {
    await mkdir(path.dirname(this.folder(to)), { recursive: true });
    await rename(this.folder(from), this.folder(to)).catch(() => this.removeAll(from));
  }

  /** As weight_cache_file() of the engine names it. */
  #file(modelFolder: string, format: KeptFormat): string {
    return path.join(this.folder(modelFolder), `${format}.nfweights`);
  }
}

async function sizeOf(file: string): Promise<number | null> {
  const found = await stat(file).catch(() => null);
  return found?.isFile() ? found.size : null;
}
