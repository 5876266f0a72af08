/** What a model can run on, and in which formats its weights can lie there. */

export const deviceKinds = ['cpu', 'cuda'] as const;
export type DeviceKind = (typeof deviceKinds)[number];

export const weightFormats = ['f32', 'bf16', 'int8', 'mixed', 'int4'] as const;
export type WeightFormat = (typeof weightFormats)[number];

/** Formats whose made form is kept for the next load. float32 is for measuring. */
export const keptFormats = ['bf16', 'int8', 'mixed', 'int4'] as const satisfies readonly WeightFormat[];
export type KeptFormat = (typeof keptFormats)[number];

/**
 * Formats that the app chooses by itself, the preferred first; docs/quality.md says why. On a CPU, where every token waits
 * for the weights to be read, int8 is about twice as fast as bf16 and loses little.
 */
export const automaticFormats = {
  cuda: ['bf16', 'int8', 'mixed', 'int4'],
  cpu: ['int8', 'mixed', 'int4'],
} as const satisfies Readonly<Record<DeviceKind, readonly WeightFormat[]>>;

export interface DeviceInfo {
  readonly kind: DeviceKind;
  readonly index: number;
  readonly name: string;
  readonly memoryTotalBytes: number;
  readonly memoryFreeBytes: number;
  readonly computeCapability: string | null;
  readonly threads: number | null;
  /** CPU: instruction sets in use; GPU: driver version. */
  readonly features: string;
  /** GPU: of its memory, by clock and width; null for a CPU and where the driver does not tell. */
  readonly nominalBytesPerSecond: number | null;
}

export interface DeviceReport {
  readonly devices: readonly DeviceInfo[];
  /** Why there is no GPU in the list, in a sentence; null when there is one. */
  readonly cudaReason: string | null;
}
