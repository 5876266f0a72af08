/** Reads a message while it is typed. What was read is where the engine stands then: the answer goes on from there. */
import { AppError } from '../contract/errors.ts';
import type { EngineService, Prompt } from '../engine/engineApi.ts';
import { planContext } from './contextPlan.ts';
import type { Scene } from './contextPlan.ts';

/** Without its last word, which may still grow, and the space before it, which belongs to that word's token. */
const certainPart = (draft: string): string => draft.replace(/\s*\S*$/u, '');

/** A conversation that ends in the draft, up to where the assistant's header would begin. */
function draftPrompt(scene: Scene): Prompt | null {
  const draft = scene.conversation.at(-1);
  const content = certainPart(draft?.content ?? '');
  if (draft === undefined || content === '' || scene.chat.sampling.promptFormat !== 'model-card') return null;
  const conversation = [...scene.conversation.slice(0, -1), { ...draft, content }];
  const { prompt, toSummarise } = planContext({ ...scene, conversation });
  // With a header behind it the draft has one boundary at its end and one behind the header.
  const end = prompt.boundaries.at(-2);
  if (end === undefined || toSummarise.length > 0) return null;
  const boundaries = prompt.boundaries.filter((boundary) => boundary < end);
  return { tokens: prompt.tokens.slice(0, end), boundaries, isDraft: true };
}

/** Returns the number of tokens read; 0 when there was nothing to read or no room. Never makes anyone wait for long. */
export async function readDraft(
  scene: Scene & { readonly engine: Pick<EngineService, 'generate'> },
  signal: AbortSignal,
): Promise<number> {
  const { engine, chat } = scene;
  const { status } = engine;
  if (status.state !== 'ready' || status.running + status.queued > 0) return 0;
  try {
    const prompt = draftPrompt(scene);
    if (prompt === null) return 0;
    const sampling = { ...chat.sampling, maxNewTokens: 0 };
    const { stats } = await engine.generate({ prompt, sampling, signal, isMeasurement: true });
    return stats.finishReason === 'cancelled' ? 0 : prompt.tokens.length;
  } catch (error) {
    // It will be said when the message is sent.
    if (error instanceof AppError) return 0;
    throw error;
  }
}
