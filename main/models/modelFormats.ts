/** The weights of installed models converted to a format: which are kept, made ahead of their first use, deleted. */
import type { KeptFormat, ModelFormat } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { ModelsServiceOptions } from './modelsOptions.ts';
import type { ModelTasks } from './modelTasks.ts';
import type { WeightCaches } from './weightCaches.ts';

export interface ModelFormatId {
  readonly modelId: string;
  readonly format: KeptFormat;
}

interface FormatParts {
  /** The folder of a model by id, repository or folder. */
  readonly resolve: (modelId: string) => Promise<string>;
  readonly weights: WeightCaches;
  readonly tasks: ModelTasks;
  /** The engine's; undefined in a program without one. */
  readonly makeWeights: ModelsServiceOptions['makeWeights'];
}

export class ModelFormats {
  readonly #with: FormatParts;

  constructor(parts: FormatParts) {
    this.#with = parts;
  }

  async list({ modelId }: { readonly modelId: string }): Promise<readonly ModelFormat[]> {
    return this.#with.weights.list(await this.#with.resolve(modelId));
  }

  /** Converts the weights now rather than at their first use. Throws BUSY, CANCELLED, DISK, OUT_OF_MEMORY. */
  async make(input: ModelFormatId): Promise<ModelFormat> {
    const { modelId, format } = input;
    const { weights, tasks, makeWeights } = this.#with;
    if (!makeWeights) throw new AppError('UNSUPPORTED', 'This program was started without the engine.');
    const source = await this.#with.resolve(modelId);
    const cacheDir = weights.folder(source);
    return tasks.run(modelId, 'makeFormat', async (task) => {
      await makeWeights({ source, format, cacheDir, ...task });
      return weights.get(source, format);
    });
  }

  async remove(input: ModelFormatId): Promise<{ readonly freedBytes: number }> {
    const folder = await this.#with.resolve(input.modelId);
    return { freedBytes: await this.#with.weights.remove(folder, input.format) };
  }
}
