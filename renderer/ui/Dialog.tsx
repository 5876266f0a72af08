import { useEffect, useRef } from 'react';
import type { ReactNode } from 'react';

/** A modal window of the page: the browser's own, so that focus, Esc and what lies behind are taken care of. */
export function Dialog(props: {
  readonly open: boolean;
  readonly label: string;
  readonly className?: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}) {
  const { open, label, className, onClose, children } = props;
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    if (dialog === null) return;
    if (open && !dialog.open) dialog.showModal();
    if (!open && dialog.open) dialog.close();
  }, [open]);
  return (
    <dialog
      ref={ref}
      className={`dialog ${className ?? ''}`}
      aria-label={label}
      onClose={onClose}
      onClick={(click) => {
        if (click.target === ref.current) onClose();
      }}
    >
      {open && <div className="dialog-body">{children}</div>}
    </dialog>
  );
}
