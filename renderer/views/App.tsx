import { Suspense, useEffect } from 'react';

import { strings } from '../strings.ts';
import { useSettings } from '../state/settings.ts';
import { useUi } from '../state/ui.ts';
import { Button } from '../ui/Button.tsx';
import { ErrorBoundary } from '../ui/ErrorBoundary.tsx';
import { Announcer } from './Announcer.tsx';
import { ChatView } from './ChatView.tsx';
import { Drawer } from './Drawer.tsx';
import { Header } from './Header.tsx';
import { Palette } from './Palette.tsx';
import { Rail } from './Rail.tsx';
import { Tour } from './Tour.tsx';
import { StartNotices, Toasts } from './Toasts.tsx';
import { otherPages } from './pages.ts';
import { usePanels } from './panels.ts';
import { useShortcuts } from './shortcuts.ts';
import { useModelDrop } from './useModelDrop.ts';

const pages = { chat: ChatView, ...otherPages } as const;

function Crash({ error }: { readonly error: Error }) {
  return (
    <main className="crash">
      <h1>{strings.crash.title}</h1>
      <p>{strings.crash.body}</p>
      <Button look="primary" onClick={() => location.reload()}>
        {strings.crash.reload}
      </Button>
      <details>
        <summary>{strings.crash.details}</summary>
        <pre>{error.stack ?? error.message}</pre>
      </details>
    </main>
  );
}

/** The frame: rail, page, drawer. */
export function App() {
  return (
    <ErrorBoundary fallback={(error) => <Crash error={error} />}>
      <Frame />
    </ErrorBoundary>
  );
}

function Frame() {
  const page = useUi((state) => state.page);
  const theme = useSettings((state) => state.settings.theme);
  const panels = usePanels();
  useShortcuts();
  useModelDrop();
  useEffect(() => {
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  }, [theme]);

  const Page = pages[page];
  return (
    <div className="frame">
      {panels.rail !== 'closed' && <Rail overlaid={panels.rail === 'overlay'} />}
      {(panels.rail === 'overlay' || panels.drawer === 'overlay') && (
        <button type="button" className="scrim" aria-label={strings.common.close} onClick={panels.closeOverlay} />
      )}
      <div className="centre">
        <Header />
        <main className="page" key={page} tabIndex={-1}>
          <ErrorBoundary fallback={(error) => <Crash error={error} />}>
            <Suspense fallback={null}>
              <Page />
            </Suspense>
          </ErrorBoundary>
        </main>
      </div>
      {panels.drawer !== 'closed' && <Drawer overlaid={panels.drawer === 'overlay'} />}
      <Tour />
      <Palette />
      <StartNotices />
      <Toasts />
      <Announcer />
    </div>
  );
}
