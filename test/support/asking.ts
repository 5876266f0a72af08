/** Asking the real engine, for tests that look at what comes back. */
import { defaultSampling } from '../../main/contract/domain.ts';
import type { SamplingOptions } from '../../main/contract/domain.ts';
import type { EngineService, Frame, GenerateRequest, PromptMessage } from '../../main/engine/engineApi.ts';

export const user = (content: string): PromptMessage => ({ role: 'user', content });
export const assistant = (content: string): PromptMessage => ({ role: 'assistant', content });

export function sampling(rest: Partial<SamplingOptions> = {}): SamplingOptions {
  return { ...defaultSampling, maxNewTokens: 24, seed: 5, ...rest };
}

/** Asks, and gathers what was streamed beside the result. */
export async function ask(
  engine: EngineService,
  messages: readonly PromptMessage[],
  rest: Partial<SamplingOptions> = {},
  request: Partial<GenerateRequest> = {},
) {
  const frames: Frame[] = [];
  const prompt = engine.prompt(messages, 'model-card');
  const result = await engine.generate({
    ...{ prompt, sampling: sampling(rest), ignoreEnd: false, onFrame: (frame) => frames.push(frame) },
    ...request,
  });
  return { ...result, frames, prompt, streamed: frames.map(({ text }) => text).join('') };
}
