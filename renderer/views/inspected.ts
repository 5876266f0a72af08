import { useEffect, useState } from 'react';

import type { Message } from '../../main/contract/domain.ts';
import type { ErrorInfo } from '../../main/contract/errors.ts';
import { useChat } from '../state/chat.ts';
import type { ChatState } from '../state/chatReducers.ts';
import { errorInfo } from '../state/errors.ts';
import { gapsOf } from '../state/latency.ts';
import { useUi } from '../state/ui.ts';

/** The answer under inspection: the chosen one if it is on the path, else the newest with figures or a run. */
export function selectInspected(state: ChatState, chosenId: string | null): Message | null {
  const { open } = state;
  if (open === null) return null;
  const chosen = chosenId === null ? undefined : open.tree.byId[chosenId];
  if (chosen !== undefined) return chosen;
  const running = Object.values(state.runs).find((run) => run.chatId === open.id);
  const id =
    running?.messageId ?? open.path.findLast((candidate) => (open.tree.byId[candidate]?.stats ?? null) !== null);
  return (id === undefined ? undefined : open.tree.byId[id]) ?? null;
}

export function useInspected(): Message | null {
  const chosenId = useUi((state) => state.inspectedId);
  return useChat((state) => selectInspected(state, chosenId));
}

export interface Gaps {
  readonly gaps: Float64Array | null;
  readonly error: ErrorInfo | null;
}

/** The engine's gaps of a finished answer; asked for once per answer and end. */
export function useGaps(message: Message | null, live: boolean): Gaps {
  const id = message?.id ?? null;
  const finished = message?.stats ?? null;
  const [found, setFound] = useState<{ readonly key: object | null; readonly result: Gaps } | null>(null);
  useEffect(() => {
    if (id === null || live || finished === null) return undefined;
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
