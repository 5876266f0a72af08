import { updateSettings, useSettings } from '../state/settings.ts';
import { setOverlay, useUi } from '../state/ui.ts';
import { narrowDrawer, narrowRail, useMedia } from '../ui/useMedia.ts';

export type PanelState = 'closed' | 'beside' | 'overlay';

export interface Panels {
  readonly rail: PanelState;
  readonly drawer: PanelState;
  toggleRail(): void;
  toggleDrawer(): void;
  closeOverlay(): void;
}

/** Whether rail and drawer are shown. Beside the page this is remembered; on narrow windows they lie over it, for now. */
export function usePanels(): Panels {
  const railOverlays = useMedia(narrowRail);
  const drawerOverlays = useMedia(narrowDrawer);
  const railOpen = useSettings((state) => state.settings.railOpen);
  const drawerOpen = useSettings((state) => state.settings.drawerOpen);
  const overlay = useUi((state) => state.overlay);
  const onChat = useUi((state) => state.page === 'chat');
  const railBeside = railOpen ? 'beside' : 'closed';
  const drawerBeside = drawerOpen ? 'beside' : 'closed';
  const drawer = drawerOverlays ? (overlay === 'drawer' ? 'overlay' : 'closed') : drawerBeside;
  return {
    rail: railOverlays ? (overlay === 'rail' ? 'overlay' : 'closed') : railBeside,
    drawer: onChat ? drawer : 'closed',
    toggleRail: () =>
      railOverlays ? setOverlay(overlay === 'rail' ? null : 'rail') : void updateSettings({ railOpen: !railOpen }),
    toggleDrawer: () =>
      drawerOverlays
        ? setOverlay(overlay === 'drawer' ? null : 'drawer')
        : void updateSettings({ drawerOpen: !drawerOpen }),
    closeOverlay: () => setOverlay(null),
  };
}
