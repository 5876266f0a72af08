import { decodeTokensPerSecond } from '../../main/contract/domain.ts';
import type { GenerationStats, Message } from '../../main/contract/domain.ts';
import type { Prefill, Run } from '../state/chatReducers.ts';
import { useLatency } from '../state/latency.ts';
import { inspect } from '../state/ui.ts';
import { durationPair, durationText, rateText } from '../format.ts';
import { strings } from '../strings.ts';
import { Progress } from '../ui/Progress.tsx';

/** One line of figures under an answer: live while it is written, final afterwards. */
export function LatencyStrip({
  message,
  run,
}: {
  readonly message: Pick<Message, 'id' | 'stats'>;
  readonly run: Run | null;
}) {
  if (run !== null) {
    const reading = run.tokens === 0;
    return reading ? <PrefillStrip prefill={run.prefill} /> : <LiveStrip run={run} />;
  }
  return message.stats === null ? <span /> : <FinalStrip id={message.id} stats={message.stats} />;
}

function PrefillStrip({ prefill }: { readonly prefill: Prefill | null }) {
  if (prefill === null || prefill.totalTokens === 0) return <p className="strip figures">{strings.chat.thinking}</p>;
  const { doneTokens, totalTokens, reusedTokens, elapsedNs } = prefill;
  const perSecond = doneTokens > 0 && elapsedNs > 0 ? (doneTokens * 1e9) / elapsedNs : null;
  return (
    <div className="strip-reading">
      <p className="strip figures">
        <span>{strings.chat.reading(doneTokens, totalTokens, perSecond)}</span>
        {reusedTokens > 0 && <span>{strings.chat.reusedPart(reusedTokens)}</span>}
      </p>
      <Progress thin label={strings.chat.reading(doneTokens, totalTokens, null)} share={doneTokens / totalTokens} />
    </div>
  );
}

function LiveStrip({ run }: { readonly run: Run }) {
  const live = useLatency((state) => state.live[run.messageId]);
  const perSecond = live?.tokensPerSecond ?? null;
  const itlNs = live?.itlNs ?? null;
  return (
    <p className="strip figures">
      <span>{perSecond === null ? strings.common.none : rateText(perSecond)}</span>
      {itlNs !== null && (
        <span>
          {strings.strip.itl} {durationPair(itlNs.p50, itlNs.p99)}
        </span>
      )}
      <span>{strings.strip.tokens(live?.tokens ?? run.tokens)}</span>
      {run.prefill !== null && run.prefill.reusedTokens > 0 && (
        <span>{strings.chat.reusedPart(run.prefill.reusedTokens)}</span>
      )}
    </p>
  );
}

function FinalStrip({ id, stats }: { readonly id: string; readonly stats: GenerationStats }) {
  const perSecond = decodeTokensPerSecond(stats);
  return (
    <button type="button" className="strip figures" title={strings.strip.open} onClick={() => inspect(id)}>
      <span>
        {strings.strip.ttft} {durationText(stats.ttftNs)}
      </span>
      {perSecond !== null && <span>{rateText(perSecond)}</span>}
      {stats.itlNs !== null && (
        <span>
          {strings.strip.itl} {durationPair(stats.itlNs.p50, stats.itlNs.p99)}
        </span>
      )}
      <span>{strings.strip.tokens(stats.outputTokens)}</span>
      {stats.reusedTokens > 0 && <span>{strings.strip.reused(stats.reusedTokens, stats.promptTokens)}</span>}
      {stats.typedTokens !== undefined && <span>{strings.strip.typed(stats.typedTokens)}</span>}
      {stats.restoredTokens !== undefined && <span>{strings.strip.restored(stats.restoredTokens)}</span>}
    </button>
  );
}
