import { decodeTokensPerSecond } from '../../../main/contract/domain.ts';
import type { GenerationStats } from '../../../main/contract/domain.ts';
import type { Roofline } from '../../../main/contract/metrics.ts';
import { useLatency } from '../../state/latency.ts';
import { duration, figureText, rate } from '../../format.ts';
import type { Figure } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Sparkline } from '../../ui/Sparkline.tsx';

interface Big {
  readonly title: string;
  readonly help: string;
  readonly of: (stats: GenerationStats) => number | null;
  readonly figure: (value: number) => Figure;
}

const share = (value: number): Figure => ({ value: String(Math.round(100 * value)), unit: '%' });

function bigs(limits: Roofline | null): readonly Big[] {
  const { latency } = strings;
  const bytesPerSecond = limits?.limits?.bytesPerSecond ?? null;
  return [
    { title: latency.ttft, help: latency.ttftHelp, of: (stats) => stats.ttftNs, figure: duration },
    { title: latency.decode, help: latency.decodeHelp, of: decodeTokensPerSecond, figure: rate },
    { title: latency.itl, help: latency.itlHelp, of: (stats) => stats.itlNs?.p99 ?? null, figure: duration },
    {
      title: latency.share,
      help: latency.shareHelp,
      of: (stats) =>
        limits === null || bytesPerSecond === null || stats.itlNs === null
          ? null
          : (1e9 * limits.bytesPerToken) / stats.itlNs.p50 / bytesPerSecond,
      figure: share,
    },
  ];
}

/** The four numbers, with those of the other answers of the chat. `stats` null: the answer is being written. */
export function BigFigures(props: {
  readonly messageId: string;
  readonly stats: GenerationStats | null;
  /** Of the chat's answers with figures, oldest first. */
  readonly others: readonly GenerationStats[];
  readonly limits: Roofline | null;
}) {
  const { messageId, stats, others, limits } = props;
  const running = useLatency((state) => state.live[messageId]);
  const live = (title: string): number | null => {
    const itlNs = running?.itlNs ?? null;
    if (title === strings.latency.decode) return running?.tokensPerSecond ?? null;
    if (title === strings.latency.itl) return itlNs?.p99 ?? null;
    const bytesPerSecond = limits?.limits?.bytesPerSecond ?? null;
    if (title !== strings.latency.share || limits === null || bytesPerSecond === null || itlNs === null) return null;
    return (1e9 * limits.bytesPerToken) / itlNs.p50 / bytesPerSecond;
  };
  return (
    <div className="bigs">
      {bigs(limits).map((big) => (
        <BigFigure
          key={big.title}
          big={big}
          value={stats === null ? live(big.title) : big.of(stats)}
          history={others.map(big.of).filter((past): past is number => past !== null)}
        />
      ))}
    </div>
  );
}

function BigFigure(props: { readonly big: Big; readonly value: number | null; readonly history: readonly number[] }) {
  const { big, value, history } = props;
  const figure = value === null ? null : big.figure(value);
  return (
    <section className="big panel" title={big.help} aria-label={big.title}>
      <h2 className="big-title">{big.title}</h2>
      <p className="big-figure figures">
        {figure === null ? strings.common.none : figure.value}
        {figure !== null && <span className="big-unit">{figure.unit}</span>}
      </p>
      <div className="big-foot">
        <Sparkline values={history} />
        <span className="field-help">{history.length === 0 ? '' : spreadText(big, history)}</span>
      </div>
    </section>
  );
}

function spreadText(big: Big, history: readonly number[]): string {
  if (history.length < 2) return strings.latency.only;
  const low = figureText(big.figure(Math.min(...history)));
  const high = figureText(big.figure(Math.max(...history)));
  return low === high ? strings.latency.steady(low) : strings.latency.spread(low, high);
}
