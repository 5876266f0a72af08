import { useId } from 'react';
import type { ReactNode } from 'react';

/** One instrument: a title, what it shows, and a sentence about it. */
export function Panel(props: {
  readonly title: string;
  readonly help?: string | undefined;
  readonly aside?: ReactNode;
  readonly children: ReactNode;
}) {
  const { title, help, aside, children } = props;
  const id = useId();
  return (
    <section className="panel" aria-labelledby={id}>
      <div className="panel-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </div>
      {children}
      {help !== undefined && <p className="field-help">{help}</p>}
    </section>
  );
}
