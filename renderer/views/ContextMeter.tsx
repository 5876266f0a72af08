import { useChat } from '../state/chat.ts';
import { selectModel, useEngine } from '../state/engine.ts';
import { useLatency } from '../state/latency.ts';
import { count } from '../format.ts';
import { strings } from '../strings.ts';
import type { ChatState } from '../state/chatReducers.ts';

/** Tokens up to the last measured answer of the conversation; what is being written is not in it yet. */
function measuredTokens(state: ChatState): number {
  const { open } = state;
  if (open === null) return 0;
  for (const id of open.path.toReversed()) {
    const stats = open.tree.byId[id]?.stats ?? null;
    if (stats !== null) return stats.promptTokens + stats.outputTokens;
  }
  return 0;
}

/** Tokens used of tokens possible, with the room kept for the answer. */
export function ContextMeter() {
  const model = useEngine(selectModel);
  const measured = useChat(measuredTokens);
  const live = useLatency((state) => Object.values(state.live)[0]?.tokens ?? 0);
  const reserve = useChat((state) => state.open?.sampling.maxNewTokens ?? 0);
  if (model === null) return null;
  const total = model.contextPositions;
  const used = Math.min(total, model.metaTokens + measured + live);
  const tight = used + reserve > total;
  const words = `${strings.context.meter(used, total)}, ${tight ? strings.context.tight : strings.context.reserve(reserve)}`;
  return (
    <span
      className={tight ? 'meter meter-tight' : 'meter'}
      title={words}
      role="img"
      aria-label={`${strings.context.label}: ${words}`}
    >
      <span className="meter-bar">
        <span className="meter-used" style={{ width: `${(100 * used) / total}%` }} />
        <span className="meter-reserve" style={{ width: `${(100 * Math.min(reserve, total - used)) / total}%` }} />
      </span>
      <span className="figures meter-figures">{count(used)}</span>
    </span>
  );
}
