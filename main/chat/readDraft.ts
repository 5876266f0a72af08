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

/**
 * The prompt that Enter would send, kept where it ends, so that no token is left to read then; and where the certain part
 * ends, for the case that typing goes on.
 */
function wholePrompt(scene: Scene): Prompt | null {
  const certain = draftPrompt(scene);
  const { prompt, toSummarise } = planContext(scene);
  if (certain === null || toSummarise.length > 0) return null;
  if (certain.tokens.some((token, index) => token !== prompt.tokens[index])) return prompt;
  const boundaries = [...new Set([...prompt.boundaries, certain.tokens.length])].sort((a, b) => a - b);
  return { ...prompt, boundaries };
}

interface Reading {
  readonly chatId: string;
  readonly parentId: string | null;
  /** Of the conversation, there already when the message was begun. */
  readonly knownTokens: number;
}

/** Reads one draft at a time. Never makes anyone wait for long. */
export class DraftReader {
  #abort = new AbortController();
  #reading: Reading | null = null;

  /** Stops the reading under way; what was read stays. */
  stop(): void {
    this.#abort.abort();
  }

  /**
   * Returns the number of tokens read; 0 when there was nothing to read or no room. `whole`: typing rests, so the last
   * word is taken for complete.
   */
  async read(
    scene: Scene & { readonly engine: Pick<EngineService, 'generate'> },
    parentId: string | null,
    whole: boolean,
  ): Promise<number> {
    const { engine, chat } = scene;
    this.stop();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const { status } = engine;
    if (status.state !== 'ready' || status.running + status.queued > 0) return 0;
    try {
      const prompt = whole ? wholePrompt(scene) : draftPrompt(scene);
      if (prompt === null) return 0;
      const sampling = { ...chat.sampling, maxNewTokens: 0 };
      const { stats } = await engine.generate({ prompt, sampling, signal, isMeasurement: true });
      if (stats.finishReason === 'cancelled') return 0;
      const isFirst = this.#reading?.chatId !== chat.id || this.#reading.parentId !== parentId;
      if (isFirst) this.#reading = { chatId: chat.id, parentId, knownTokens: stats.reusedTokens };
      return prompt.tokens.length;
    } catch (error) {
      // It will be said when the message is sent.
      if (error instanceof AppError) return 0;
      throw error;
    }
  }

  /** For the answer to a message: what was known before it was typed; null when nothing of it was read ahead. */
  takeKnown(chatId: string, parentId: string | null): number | null {
    this.stop();
    const reading = this.#reading;
    this.#reading = null;
    return reading?.chatId === chatId && reading.parentId === parentId ? reading.knownTokens : null;
  }
}
