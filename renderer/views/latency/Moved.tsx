import type { Regression } from '../../../main/contract/metrics.ts';
import { closeMoved, useLatency } from '../../state/latency.ts';
import { showLatencyTab, showPage } from '../../state/ui.ts';
import { durationText, percent } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Button, IconButton } from '../../ui/Button.tsx';
import { Notice } from '../../ui/Notice.tsx';

const isSlower = ({ beforeNs, afterNs }: Regression): boolean => afterNs > beforeNs;

/** "Answers became slower by 12 % since the driver changed." */
function sentence(regression: Regression): string {
  const { beforeNs, afterNs, changed } = regression;
  const share = percent(Math.abs(afterNs / beforeNs - 1));
  const what = changed.map((field) => strings.latency.changed[field] ?? field).join(', ');
  return isSlower(regression) ? strings.latency.slower(share, what) : strings.latency.faster(share, what);
}

/** Answers became slower or faster since the app, its engine or the driver changed, by more than they usually differ. */
export function Moved({ regression }: { readonly regression: Regression }) {
  const { beforeNs, afterNs, spreadNs, answersAfter } = regression;
  return (
    <Notice tone={isSlower(regression) ? 'warn' : 'plain'}>
      {sentence(regression)}
      <span className="field-help notice-detail">
        {strings.latency.movedDetail(
          durationText(beforeNs),
          durationText(afterNs),
          durationText(spreadNs),
          answersAfter,
        )}
      </span>
    </Notice>
  );
}

/** The same, once, for those who have the latency page closed. Nothing is said of answers that became faster. */
export function MovedToast() {
  const moved = useLatency((state) => state.moved);
  if (moved === null || !isSlower(moved)) return null;
  return (
    <Notice
      tone="warn"
      actions={
        <>
          <Button
            look="link"
            onClick={() => {
              closeMoved(moved);
              showLatencyTab('history');
              showPage('dashboard');
            }}
          >
            {strings.latency.openDashboard}
          </Button>
          <IconButton icon="close" label={strings.common.dismiss} onClick={() => closeMoved(moved)} />
        </>
      }
    >
      {sentence(moved)}
    </Notice>
  );
}
