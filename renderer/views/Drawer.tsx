import { Tabs } from 'radix-ui';

import { showDrawerTab, useUi } from '../state/ui.ts';
import type { DrawerTab } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { IconButton } from '../ui/Button.tsx';
import { LatencyPanel } from './LatencyPanel.tsx';
import { SamplingPanel } from './SamplingPanel.tsx';
import { usePanels } from './panels.ts';

const tabs: readonly { readonly tab: DrawerTab; readonly label: string }[] = [
  { tab: 'sampling', label: strings.sampling.title },
  { tab: 'latency', label: strings.latency.title },
];

export function Drawer({ overlaid }: { readonly overlaid: boolean }) {
  const panels = usePanels();
  const tab = useUi((state) => state.drawerTab);
  return (
    <aside className={overlaid ? 'drawer drawer-overlaid' : 'drawer'} aria-label={strings.header.drawer}>
      <Tabs.Root
        className="drawer-tabs"
        value={tab}
        onValueChange={(value) => {
          const known = tabs.find((entry) => entry.tab === value);
          if (known !== undefined) showDrawerTab(known.tab);
        }}
      >
        <div className="drawer-head">
          <Tabs.List className="tabs" aria-label={strings.header.drawer}>
            {tabs.map((entry) => (
              <Tabs.Trigger key={entry.tab} value={entry.tab} className="tab">
                {entry.label}
              </Tabs.Trigger>
            ))}
          </Tabs.List>
          <IconButton icon="close" label={strings.header.hideDrawer} onClick={panels.toggleDrawer} />
        </div>
        <Tabs.Content value="sampling" className="drawer-body scroll">
          <SamplingPanel />
        </Tabs.Content>
        <Tabs.Content value="latency" className="drawer-body scroll">
          <LatencyPanel />
        </Tabs.Content>
      </Tabs.Root>
    </aside>
  );
}
