import type { ReactNode } from 'react';

import { strings } from '../../strings.ts';

/** A table of figures that scrolls by itself where it is too wide. `head`: a heading per column. */
export function FigureTable(props: {
  readonly title: string;
  readonly head: readonly (string | { readonly name: string; readonly className: string })[];
  readonly className?: string;
  /** Its rows. */
  readonly children: ReactNode;
}) {
  const { title, head, className = '', children } = props;
  return (
    <div
      className={`table-scroll ${className}`.trim()}
      tabIndex={0}
      role="region"
      aria-label={strings.latency.table(title)}
    >
      <table className="series figures">
        <thead>
          <tr>
            {head.map((column) => {
              const { name, className: look } = typeof column === 'string' ? { name: column, className: '' } : column;
              return (
                <th key={name} scope="col" className={look || undefined}>
                  {name}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
