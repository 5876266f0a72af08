import { runFor } from '../state/chatReducers.ts';
import { useChat } from '../state/chat.ts';
import { inspect } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { SeriesTable, StatsTable } from './latency/LatencyFigures.tsx';
import { LatencyStrip } from './LatencyStrip.tsx';
import { useInspected } from './inspected.ts';

/** The figures of the newest answer, beside the conversation. */
export function LatencyPanel() {
  const message = useInspected();
  const run = useChat((state) => (message === null ? null : runFor(state, message.id)));
  if (message === null) return <p className="soft">{strings.latency.noAnswer}</p>;
  return (
    <div className="stack">
      {run !== null && <LatencyStrip message={message} run={run} />}
      {message.stats !== null && run === null && <StatsTable stats={message.stats} />}
      <SeriesTable messageId={message.id} stats={message.stats} />
      <p className="field-help">{strings.latency.seriesHelp}</p>
      <Button icon="pulse" onClick={() => inspect(message.id)}>
        {strings.latency.openDashboard}
      </Button>
    </div>
  );
}
