/** A summary by the model itself, to stand in for turns that no longer fit. */
import type { ContextCut } from '../contract/domain.ts';
import { AppError } from '../contract/errors.ts';
import type { EngineService, Prompt } from '../engine/engineApi.ts';
import { summaryTokens, viewThrough } from './contextPlan.ts';
import type { Scene, View } from './contextPlan.ts';

type GeneratingScene = Scene & { readonly engine: Pick<EngineService, 'generate'> };

const instruction =
  'Summarise our conversation so far in at most 150 words. Keep names, numbers, decisions and open questions.';

/**
 * The view with its summary in place. Where none could be made (it did not fit, it was stopped, the model said nothing)
 * the view stays as it was, and its cut says so.
 */
export async function summarised(
  scene: GeneratingScene,
  view: View,
  signal: AbortSignal,
): Promise<{ readonly prompt: Prompt; readonly cut: ContextCut | null }> {
  const summary = await textOf(scene, view, signal);
  if (view.cut === null || summary === '') return view;
  const cut = { ...view.cut, summary };
  return { prompt: scene.engine.prompt(viewThrough(scene, cut), scene.chat.sampling.promptFormat), cut };
}

async function textOf({ engine, chat }: GeneratingScene, { toSummarise }: View, signal: AbortSignal): Promise<string> {
  const { sampling } = chat;
  try {
    const prompt = engine.prompt([...toSummarise, { role: 'user', content: instruction }], sampling.promptFormat);
    const { text, stats } = await engine.generate({
      prompt,
      sampling: { ...sampling, temperature: 0, maxNewTokens: summaryTokens, stop: ['\nUser:'] },
      isMeasurement: true,
      signal,
    });
    return stats.finishReason === 'cancelled' ? '' : text.trim();
  } catch (error) {
    if (error instanceof AppError && error.code === 'CONTEXT_FULL') return '';
    throw error;
  }
}
