import { contextPolicyKinds, defaultContextPolicy, keepTurnsRange } from '../../main/contract/domain.ts';
import { setContextPolicy, useChat } from '../state/chat.ts';
import { selectModel, useEngine } from '../state/engine.ts';
import { useLatency } from '../state/latency.ts';
import { count, percent } from '../format.ts';
import { strings } from '../strings.ts';
import { selectActiveRun } from '../state/chatReducers.ts';
import type { ChatState } from '../state/chatReducers.ts';
import { PopoverPanel } from '../ui/PopoverPanel.tsx';
import { Segmented } from '../ui/Segmented.tsx';
import { SliderField } from '../ui/SliderField.tsx';

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

interface Fill {
  readonly total: number;
  readonly used: number;
  readonly reserve: number;
  readonly metaTokens: number;
  /** The longest answer no longer fits. */
  readonly tight: boolean;
}

function useFill(): Fill | null {
  const model = useEngine(selectModel);
  const measured = useChat(measuredTokens);
  const answering = useChat((state) => selectActiveRun(state)?.messageId ?? '');
  const live = useLatency((state) => state.live[answering]?.tokens ?? 0);
  const reserve = useChat((state) => state.open?.sampling.maxNewTokens ?? 0);
  if (model === null) return null;
  const { contextPositions: total, metaTokens } = model;
  const used = Math.min(total, metaTokens + measured + live);
  return { total, used, reserve: Math.min(reserve, total - used), metaTokens, tight: used + reserve > total };
}

/** Tokens used of tokens possible, with the room kept for the answer; opens on what happens when it is full. */
export function ContextMeter() {
  const fill = useFill();
  if (fill === null) return null;
  const { total, used, reserve, tight } = fill;
  const words = `${strings.context.meter(used, total)}, ${tight ? strings.context.tight : strings.context.reserve(reserve)}`;
  return (
    <PopoverPanel
      label={strings.context.label}
      button={
        <button
          type="button"
          className={tight ? 'meter meter-tight' : 'meter'}
          title={words}
          aria-label={`${strings.context.label}: ${words}`}
        >
          <span className="meter-bar">
            <span className="meter-used" style={{ width: `${(100 * used) / total}%` }} />
            <span className="meter-reserve" style={{ width: `${(100 * reserve) / total}%` }} />
          </span>
          <span className="figures meter-figures">{count(used)}</span>
        </button>
      }
    >
      <Figures fill={fill} />
      <PolicyChoice />
    </PopoverPanel>
  );
}

function Figures({ fill }: { readonly fill: Fill }) {
  const { total, used, reserve, metaTokens, tight } = fill;
  const rows = [
    [strings.context.conversation, used - metaTokens],
    [strings.context.memory, metaTokens],
    [strings.context.answer, reserve],
    [strings.context.free, total - used - reserve],
  ] as const;
  return (
    <div className="stack">
      <p className="popover-title">{strings.context.title(percent(used / total), total)}</p>
      <dl className="context-figures">
        {rows.map(([name, tokens]) => (
          <div key={name} className="row between">
            <dt>{name}</dt>
            <dd className="figures">{count(tokens)}</dd>
          </div>
        ))}
      </dl>
      {tight && <p className="field-help">{strings.context.tight}</p>}
    </div>
  );
}

function PolicyChoice() {
  const policy = useChat((state) => state.open?.context ?? defaultContextPolicy);
  return (
    <div className="stack">
      <span className="field-label">{strings.context.policy}</span>
      <Segmented
        label={strings.context.policy}
        value={policy.kind}
        choices={contextPolicyKinds.map((kind) => ({ value: kind, label: strings.context.kinds[kind] }))}
        onChange={(kind) => void setContextPolicy({ ...policy, kind })}
      />
      <p className="field-help">{strings.context.kindHelp[policy.kind]}</p>
      {policy.kind !== 'stop' && (
        <SliderField
          label={strings.context.keep}
          help={strings.context.keepHelp}
          range={keepTurnsRange}
          value={policy.keepTurns}
          onChange={(keepTurns) => void setContextPolicy({ ...policy, keepTurns })}
        />
      )}
    </div>
  );
}
