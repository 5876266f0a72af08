import { Tabs } from 'radix-ui';
import type { ComponentType } from 'react';

import { useLatency } from '../../state/latency.ts';
import { latencyTabs, showLatencyTab, useUi } from '../../state/ui.ts';
import type { LatencyTab } from '../../state/ui.ts';
import { strings } from '../../strings.ts';
import { BenchmarkTab } from './BenchmarkTab.tsx';
import { CompareTab } from './CompareTab.tsx';
import { HistoryTab } from './HistoryTab.tsx';
import { LiveTab } from './LiveTab.tsx';
import { Moved } from './Moved.tsx';
import { StartTab } from './StartTab.tsx';
import { useAsked } from './useAsked.ts';

const pages: Readonly<Record<LatencyTab, ComponentType>> = {
  live: LiveTab,
  history: HistoryTab,
  benchmark: BenchmarkTab,
  compare: CompareTab,
  start: StartTab,
};

/** What every token cost: now, before, against the hardware, and against other settings. */
export function LatencyDashboard() {
  const tab = useUi((state) => state.latencyTab);
  const records = useLatency((state) => state.records);
  const regression = useAsked('metrics.overview', {}, records).value?.regression ?? null;
  return (
    <Tabs.Root
      className="sheet sheet-wide scroll dash"
      value={tab}
      onValueChange={(value) => {
        const known = latencyTabs.find((entry) => entry === value);
        if (known !== undefined) showLatencyTab(known);
      }}
    >
      <Tabs.List className="tabs" aria-label={strings.latency.tabsLabel}>
        {latencyTabs.map((entry) => (
          <Tabs.Trigger key={entry} value={entry} className="tab">
            {strings.latency.tabs[entry]}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      {regression !== null && <Moved regression={regression} />}
      {latencyTabs.map((entry) => {
        const Page = pages[entry];
        return (
          <Tabs.Content key={entry} value={entry} className="dash-body">
            <Page />
          </Tabs.Content>
        );
      })}
      <Definitions />
    </Tabs.Root>
  );
}

function Definitions() {
  return (
    <details className="definitions">
      <summary>{strings.latency.definitions}</summary>
      <dl>
        {Object.entries(strings.latency.terms).map(([term, words]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
