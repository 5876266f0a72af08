import type { Regression } from '../../../main/contract/metrics.ts';
import { durationText, percent } from '../../format.ts';
import { strings } from '../../strings.ts';
import { Notice } from '../../ui/Notice.tsx';

/** Answers became slower or faster since the app, its engine or the driver changed, by more than they usually differ. */
export function Moved({ regression }: { readonly regression: Regression }) {
  const { beforeNs, afterNs, spreadNs, changed, answersAfter } = regression;
  const share = percent(Math.abs(afterNs / beforeNs - 1));
  const what = changed.map((field) => strings.latency.changed[field] ?? field).join(', ');
  const slower = afterNs > beforeNs;
  return (
    <Notice tone={slower ? 'warn' : 'plain'}>
      {slower ? strings.latency.slower(share, what) : strings.latency.faster(share, what)}
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
