import { Popover } from 'radix-ui';
import { useState } from 'react';

import { useChat } from '../state/chat.ts';
import { useEngine } from '../state/engine.ts';
import { updateSettings, useSettings } from '../state/settings.ts';
import { focusComposer, useUi } from '../state/ui.ts';
import { strings } from '../strings.ts';
import { Button } from '../ui/Button.tsx';
import { keysText } from './commands.ts';
import './tour.css';

/** What each step is about, and what it points at. */
const steps = [
  { name: 'model', selector: '.chip', side: 'bottom' },
  { name: 'branch', selector: '.composer', side: 'top' },
  { name: 'keys', selector: '[data-tour="palette"]', side: 'bottom' },
] as const;

function textOf(name: (typeof steps)[number]['name']): string {
  const { texts } = strings.tour;
  return name === 'keys' ? texts.keys(keysText('Mod+K'), keysText('Mod+3')) : texts[name];
}

/** Once, when the first model is ready and no message was written yet. */
function useIsDue(): boolean {
  const unseen = useSettings((state) => state.loaded && !state.settings.tourSeen);
  const onChat = useUi((state) => state.page === 'chat' && !state.paletteOpen && state.overlay === null);
  const ready = useEngine((state) => state.status?.state === 'ready');
  const empty = useChat((state) => state.open?.path.length === 0);
  return unseen && onChat && ready && empty;
}

/** Asked when the hint is placed: what it points at is drawn in the same breath. */
const placeOf = (selector: string): DOMRect =>
  document.querySelector(selector)?.getBoundingClientRect() ?? new DOMRect();

/** Three short hints beside what they are about. Takes no focus; Esc or a click elsewhere ends it for good. */
export function Tour() {
  const due = useIsDue();
  const [index, setIndex] = useState(0);
  const step = steps[index];
  if (!due || step === undefined) return null;
  const title = strings.tour.titles[step.name];
  const text = textOf(step.name);
  const end = (): void => {
    setIndex(0);
    void updateSettings({ tourSeen: true });
  };
  /** The button that was pressed is gone: the caret belongs into the message field. */
  const leave = (): void => {
    end();
    focusComposer();
  };
  const isLast = index === steps.length - 1;
  return (
    <Popover.Root open onOpenChange={(open) => !open && end()}>
      <Popover.Anchor virtualRef={{ current: { getBoundingClientRect: () => placeOf(step.selector) } }} />
      <p role="status" className="visually-hidden">
        {`${title}. ${text}`}
      </p>
      <Popover.Portal>
        <Popover.Content
          key={step.name}
          className="popover tour"
          side={step.side}
          sideOffset={8}
          collisionPadding={12}
          aria-label={strings.tour.label(index + 1, steps.length)}
          onOpenAutoFocus={(focus) => {
            // The message field keeps the caret; whoever goes on by keyboard stays on the button.
            if (index === 0) focus.preventDefault();
          }}
          onFocusOutside={(focus) => focus.preventDefault()}
        >
          <h2 className="popover-title">{title}</h2>
          <p>{text}</p>
          <div className="tour-foot">
            <span className="soft figures">{strings.tour.count(index + 1, steps.length)}</span>
            {!isLast && (
              <Button look="link" onClick={leave}>
                {strings.tour.skip}
              </Button>
            )}
            <Button look="primary" onClick={isLast ? leave : () => setIndex(index + 1)}>
              {isLast ? strings.tour.done : strings.tour.next}
            </Button>
          </div>
          <Popover.Arrow className="tour-arrow" width={14} height={7} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
