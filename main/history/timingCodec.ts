/** Per-token stamps as a blob: float64 triples (stampNs, forwardNs, sampleNs), little-endian, exact to 2^53 ns. */
import type { TokenTiming } from '../contract/domain.ts';

const fieldsPerToken = 3;
const bytesPerToken = fieldsPerToken * 8;

export function encodeTimings(timings: readonly TokenTiming[]): Uint8Array {
  const bytes = new Uint8Array(timings.length * bytesPerToken);
  const view = new DataView(bytes.buffer);
  timings.forEach((timing, index) => {
    const offset = index * bytesPerToken;
    view.setFloat64(offset, timing.stampNs, true);
    view.setFloat64(offset + 8, timing.forwardNs, true);
    view.setFloat64(offset + 16, timing.sampleNs, true);
  });
  return bytes;
}

/** A blob cut short gives the triples that are whole. */
export function decodeTimings(bytes: Uint8Array): readonly TokenTiming[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.byteLength / bytesPerToken) }, (_, index) => {
    const offset = index * bytesPerToken;
    return {
      stampNs: view.getFloat64(offset, true),
      forwardNs: view.getFloat64(offset + 8, true),
      sampleNs: view.getFloat64(offset + 16, true),
    };
  });
}
