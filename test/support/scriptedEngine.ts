/** An EngineService that says a scripted text, one character a token: for callers' tests, where the model does not matter. */
import { defaultSampling } from '../../main/contract/domain.ts';
import type { EngineStatus, LoadedModel } from '../../main/contract/domain.ts';
import { AppError } from '../../main/contract/errors.ts';
import type {
  EngineService,
  Frame,
  GeneratedToken,
  GenerateRequest,
  GenerateResult,
  PromptMessage,
  Tokenizer,
} from '../../main/engine/engineApi.ts';

export const scriptedModel: LoadedModel = {
  source: 'synthetic:tiny',
  name: 'nvidia/Nemotron-Flash-3B-Instruct',
  device: 'cpu',
  deviceIndex: 0,
  deviceName: 'scripted',
  format: 'bf16',
  threads: 1,
  parameters: 1,
  layers: 1,
  vocab: 256,
  metaTokens: 8,
  trainedPositions: null,
  contextPositions: 1024,
  weightBytes: 1,
  stateBytes: 1,
  kvBytesPerPosition: 1,
  loadNs: 1,
  weightsFrom: 'source',
  synthetic: true,
};

/** Tokens are code points. */
const tokenizer: Tokenizer = {
  encode: (text) => Int32Array.from([...text].map((character) => character.codePointAt(0) ?? 0)),
  decode: (tokens) => String.fromCodePoint(...tokens),
  bytes: (token) => Buffer.from(String.fromCodePoint(token)),
  endTokens: [2],
};

/** The end if the grammar permits it, else a token it allows; closing ones first, so that it comes to an end. */
function constrainedToken(mask: Int32Array, step: number): number | null {
  const allows = (token: number): boolean => (((mask[token >> 5] ?? 0) >> (token & 31)) & 1) === 1;
  if (allows(2)) return null;
  const closing = [...'}"]'].map((character) => character.codePointAt(0) ?? 0).filter(allows);
  if (closing.length > 0 && step % 3 === 0) return closing[0] ?? null;
  const printable = Array.from({ length: 95 }, (_, index) => index + 32).filter(allows);
  return printable[(step * 7) % printable.length] ?? null;
}

export interface ScriptedEngine extends EngineService {
  status: EngineStatus;
  readonly requests: GenerateRequest[];
  readonly prompts: (readonly PromptMessage[])[];
}

/** `perTokenMs` makes room for cancelling in the middle. */
export function scriptedEngine(answer = 'New York is a city.', perTokenMs = 0): ScriptedEngine {
  const requests: GenerateRequest[] = [];
  const prompts: (readonly PromptMessage[])[] = [];

  async function generate(request: GenerateRequest): Promise<GenerateResult> {
    requests.push(request);
    const wanted = [...answer].slice(0, request.sampling.maxNewTokens);
    const tokens: GeneratedToken[] = [];
    const { constraint } = request;
    const limit = constraint ? request.sampling.maxNewTokens : wanted.length;
    let ended = false;
    let taken: readonly number[] = [];
    for (let index = 0; index < limit; index += 1) {
      if (perTokenMs > 0) await new Promise((resolve) => setTimeout(resolve, perTokenMs));
      if (request.signal?.aborted === true) break;
      let token: number | null = wanted[index]?.codePointAt(0) ?? 0;
      if (constraint) {
        const { allowed } = await constraint.next(taken, 0);
        token = allowed === null ? null : constrainedToken(allowed, index);
        ended = token === null;
        if (token === null) break;
        taken = [token];
      }
      const character = String.fromCodePoint(token);
      const top = Array.from({ length: request.logprobs ?? 0 }, (_, rank) => ({
        token: token + rank,
        logprob: -rank - 0.5,
      }));
      const generated = { token, logprob: -0.5, top, stampNs: 1e6 * (index + 1), forwardNs: 9e5, sampleNs: 1e4 };
      tokens.push(generated);
      const frame: Frame = { text: character, tokens: [generated] };
      request.onFrame?.(frame);
    }
    const cancelled = request.signal?.aborted === true;
    return {
      text: tokens.map(({ token }) => String.fromCodePoint(token)).join(''),
      tokens,
      textTokens: Int32Array.from(tokens, ({ token }) => token),
      stats: {
        promptTokens: request.prompt.tokens.length,
        reusedTokens: 3,
        prefillNs: 1e6,
        ttftNs: 2e6,
        queueNs: 0,
        outputTokens: tokens.length,
        decodeNs: 1e6 * Math.max(0, tokens.length - 1),
        itlNs: tokens.length > 1 ? { p50: 1e6, p95: 1e6, p99: 1e6, max: 1e6 } : null,
        finishReason: cancelled ? 'cancelled' : ended || tokens.length === [...answer].length ? 'stop' : 'length',
        seed: request.sampling.seed ?? 1,
        device: 'cpu',
        format: 'bf16',
      },
    };
  }

  return {
    requests,
    prompts,
    status: { state: 'ready', model: scriptedModel, running: 0, queued: 0 },
    onStatus: () => () => undefined,
    devices: async () => ({ devices: [], cudaReason: 'none here' }),
    memoryBandwidth: async () => 40e9,
    load: async () => scriptedModel,
    cancelLoad: () => undefined,
    unload: async () => undefined,
    tokenizer: () => tokenizer,
    prompt(messages, format = defaultSampling.promptFormat) {
      prompts.push(messages);
      const text =
        format === 'raw'
          ? messages.map(({ content }) => content).join('')
          : messages.map(({ role, content }) => `${role}: ${content}\n`).join('');
      const tokens = tokenizer.encode(text);
      if (tokens.length >= scriptedModel.contextPositions) {
        throw new AppError('CONTEXT_FULL', `The prompt has ${tokens.length} tokens; 1016 fit.`);
      }
      return { tokens, boundaries: [tokens.length] };
    },
    generate,
    stages: () => [],
    limits: async () => null,
    sampleGpu: async () => ({ sample: null, reason: 'none here' }),
    probe: async () => undefined,
    dispose: async () => undefined,
  };
}
