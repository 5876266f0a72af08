import { Popover } from 'radix-ui';
import type { ReactNode } from 'react';

/** A panel that opens below its button. Without `open` it keeps by itself whether it is. */
export function PopoverPanel(props: {
  readonly label: string;
  readonly button: ReactNode;
  readonly open?: boolean;
  readonly onOpenChange?: (open: boolean) => void;
  readonly children: ReactNode;
}) {
  const { label, button, children, ...state } = props;
  return (
    <Popover.Root {...state}>
      <Popover.Trigger asChild>{button}</Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="popover scroll" align="end" sideOffset={8} collisionPadding={8} aria-label={label}>
          {children}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
