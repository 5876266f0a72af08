import type { ReactNode } from 'react';

/** A line of a list of facts: what it is, and its value. */
export function Fact({ term, children }: { readonly term: string; readonly children: ReactNode }) {
  return (
    <div className="fact">
      <dt>{term}</dt>
      <dd className="figures">{children}</dd>
    </div>
  );
}
