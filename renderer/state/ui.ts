/** What is on display. What should be remembered lives in settings. */
import { create } from 'zustand';

import type { OpenRequest } from '../../main/contract/domain.ts';

export type Page = 'chat' | 'completion' | 'models' | 'dashboard' | 'api' | 'settings';
export type DrawerTab = 'sampling' | 'latency';
export const latencyTabs = ['live', 'history', 'benchmark', 'compare', 'start'] as const;
export type LatencyTab = (typeof latencyTabs)[number];

export interface UiState {
  readonly page: Page;
  readonly drawerTab: DrawerTab;
  readonly latencyTab: LatencyTab;
  readonly paletteOpen: boolean;
  /** The answer the dashboard looks at; null: the newest one. */
  readonly inspectedId: string | null;
  /** The model whose page something outside asked for. */
  readonly askedRepo: string | null;
  /** Message whose text is being edited. */
  readonly editingId: string | null;
  /** Messages shown as raw text. */
  readonly rawIds: readonly string[];
  /** Answer shown as its tokens. */
  readonly tokensId: string | null;
  /** Message to scroll to, once. */
  readonly revealId: string | null;
  /** Narrow windows only, where rail and drawer lie over the page. */
  readonly overlay: 'rail' | 'drawer' | null;
  /** Counts requests to put the caret into the composer. */
  readonly focusRequests: number;
  readonly connection: 'connecting' | 'open' | 'lost' | 'refused';
}

export const useUi = create<UiState>()(() => ({
  page: 'chat',
  drawerTab: 'sampling',
  latencyTab: 'live',
  paletteOpen: false,
  inspectedId: null,
  askedRepo: null,
  editingId: null,
  rawIds: [],
  tokensId: null,
  revealId: null,
  overlay: null,
  focusRequests: 0,
  connection: 'connecting',
}));

export const showPage = (page: Page): void => useUi.setState({ page, overlay: null });
/** The menu, or a link: a page is shown, and nothing else is done. */
export const openAsked = (asked: OpenRequest): void =>
  useUi.setState({ page: asked.page, overlay: null, askedRepo: asked.page === 'models' ? asked.repo : null });
export const showDrawerTab = (drawerTab: DrawerTab): void => useUi.setState({ drawerTab });
export const showLatencyTab = (latencyTab: LatencyTab): void => useUi.setState({ latencyTab });
export const setPalette = (paletteOpen: boolean): void => useUi.setState({ paletteOpen });
export const setEditing = (editingId: string | null): void => useUi.setState({ editingId });
export const setOverlay = (overlay: UiState['overlay']): void => useUi.setState({ overlay });
export const inspect = (inspectedId: string | null): void =>
  useUi.setState({ inspectedId, page: 'dashboard', latencyTab: 'live', overlay: null });
export const focusComposer = (): void =>
  useUi.setState((state) => ({ page: 'chat', overlay: null, focusRequests: state.focusRequests + 1 }));
export const toggleTokens = (id: string): void =>
  useUi.setState(({ tokensId }) => ({ tokensId: tokensId === id ? null : id }));
export const toggleRaw = (id: string): void =>
  useUi.setState(({ rawIds }) => ({
    rawIds: rawIds.includes(id) ? rawIds.filter((raw) => raw !== id) : [...rawIds, id],
  }));
