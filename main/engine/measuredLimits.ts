/** What a device can do at best with a model, kept for as long as the process lives. */
import type { LoadedModel } from '../contract/domain.ts';
import type { DeviceLimits } from '../contract/metrics.ts';

export class MeasuredLimits {
  readonly #known = new Map<string, DeviceLimits>();

  /** `measure`: null when now is no time for it; it gives null when the model goes meanwhile. A second load does not measure again. */
  async of(model: LoadedModel, measure: (() => Promise<DeviceLimits | null>) | null): Promise<DeviceLimits | null> {
    const { deviceName, deviceIndex, threads, format, source } = model;
    const key = JSON.stringify([deviceName, deviceIndex, threads, format, source]);
    const known = this.#known.get(key) ?? null;
    if (known !== null || measure === null) return known;
    const measured = await measure();
    if (measured !== null) this.#known.set(key, measured);
    return measured;
  }
}
