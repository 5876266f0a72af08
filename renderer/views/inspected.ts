import { useEffect, useState } from 'react';

import type { GenerationStats, Message } from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import { useChat } from '../state/chat.ts';
import type { ChatState } from '../state/chatReducers.ts';
import { errorInfo } from '../state/errors.ts';
import { gapsOf } from '../state/latency.ts';
import { useUi } from '../state/ui.ts';

/** What is known of an answer: of one in another chat, its id alone. */
export type Inspected = Pick<Message, 'id' | 'stats'>;

/** The answer under inspection: the chosen one, else the newest of the conversation with figures or a run. */
export function selectInspected(state: ChatState, chosenId: string | null): Inspected | null {
  const { open } = state;
  if (chosenId !== null) return open?.tree.byId[chosenId] ?? elsewhere(chosenId);
  if (open === null) return null;
  const running = Object.values(state.runs).find((run) => run.chatId === open.id);
  const id =
    running?.messageId ?? open.path.findLast((candidate) => (open.tree.byId[candidate]?.stats ?? null) !== null);
  return (id === undefined ? undefined : open.tree.byId[id]) ?? null;
}

// One object per id, so that a selector gives the same one again.
let lastElsewhere: Inspected = { id: '', stats: null };
function elsewhere(id: string): Inspected {
  if (lastElsewhere.id !== id) lastElsewhere = { id, stats: null };
  return lastElsewhere;
}

export function useInspected(): Inspected | null {
  const chosenId = useUi((state) => state.inspectedId);
  return useChat((state) => selectInspected(state, chosenId));
}

export interface Gaps {
  readonly gaps: Float64Array | null;
  readonly error: ErrorInfo | null;
}

/** The engine's gaps of a finished answer; asked for once per answer and end. */
export function useGaps(id: string, live: boolean, finished: GenerationStats | null): Gaps {
  const [found, setFound] = useState<{ readonly key: object | null; readonly result: Gaps } | null>(null);
  useEffect(() => {
    if (live || finished === null) return undefined;
    let current = true;
    gapsOf(id).then(
      (gaps) => current && setFound({ key: finished, result: { gaps, error: null } }),
      (thrown: unknown) => current && setFound({ key: finished, result: { gaps: null, error: errorInfo(thrown) } }),
    );
    return () => {
      current = false;
    };
  }, [id, live, finished]);
  return found !== null && found.key === finished ? found.result : { gaps: null, error: null };
}
