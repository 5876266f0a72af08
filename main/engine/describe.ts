/** A loaded model as everybody else knows it. */
import path from 'node:path';

import type { LoadedModel, LoadRequest } from '../contract/domain.ts';
import type { NativeModel } from './addon.ts';

/** `synthetic:tiny` and folders by their last part, installed models by their repository's. */
function nameOf(source: string): string {
  return source.startsWith('synthetic:') ? source : path.basename(source).replace(/@.*$/, '');
}

export function describe(request: LoadRequest, source: string, { info }: NativeModel, loadNs: number): LoadedModel {
  return {
    source: request.source,
    name: nameOf(request.source),
    device: info.device,
    deviceIndex: info.deviceIndex,
    deviceName: info.deviceName,
    format: info.format,
    threads: info.threads,
    parameters: info.parameters,
    layers: info.layers,
    vocab: info.vocab,
    metaTokens: info.metaTokens,
    trainedPositions: info.trainedPositions > 0 ? info.trainedPositions : null,
    contextPositions: info.contextPositions,
    weightBytes: info.weightBytes,
    stateBytes: info.stateBytes,
    kvBytesPerPosition: info.kvBytesPerPosition,
    weightsFrom: info.weightsFrom,
    loadNs,
    synthetic: source.startsWith('synthetic:'),
  };
}
