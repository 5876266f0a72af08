/** The pages that are not the chat. Each is fetched when it is shown, or before that when the page has nothing to do. */
import { lazy } from 'react';
import type { ComponentType } from 'react';

type Load = () => Promise<{ readonly default: ComponentType }>;

const loads = {
  completion: () => import('./models/CompletionView.tsx').then((module) => ({ default: module.CompletionView })),
  models: () => import('./models/ModelsView.tsx').then((module) => ({ default: module.ModelsView })),
  dashboard: () => import('./latency/LatencyDashboard.tsx').then((module) => ({ default: module.LatencyDashboard })),
  api: () => import('./api/ApiView.tsx').then((module) => ({ default: module.ApiView })),
  settings: () => import('./SettingsView.tsx').then((module) => ({ default: module.SettingsView })),
} satisfies Record<string, Load>;

export const otherPages = {
  completion: lazy(loads.completion),
  models: lazy(loads.models),
  dashboard: lazy(loads.dashboard),
  api: lazy(loads.api),
  settings: lazy(loads.settings),
} as const;

/** What a first answer and a first look at another page would wait for, one after another in idle time. */
const later: readonly (() => Promise<unknown>)[] = [
  () => import('./markdown/MarkdownBlock.tsx').then(({ warmUp }) => warmUp()),
  () => import('./markdown/highlight.ts'),
  ...Object.values(loads),
];

/** Browsers without idle callbacks wait so long. */
const idleDelayMs = 500;
const whenIdle = (work: () => void): void => {
  if ('requestIdleCallback' in window) requestIdleCallback(work);
  else setTimeout(work, idleDelayMs);
};

/** Fetches all of it while nothing else is to do. What cannot be fetched now is fetched, and complained about, when needed. */
export const fetchLater = (): void => fetchInTurn(later);

function fetchInTurn([next, ...others]: typeof later): void {
  if (next === undefined) return;
  whenIdle(
    () =>
      void next().then(
        () => fetchInTurn(others),
        () => undefined,
      ),
  );
}
