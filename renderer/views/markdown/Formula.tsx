import katex from 'katex';
import { useLayoutEffect, useRef } from 'react';

import 'katex/dist/katex.min.css';

const limits = { strict: 'ignore', trust: false, maxExpand: 200, maxSize: 20, throwOnError: true } as const;

/**
 * One formula. Built by KaTeX as elements, never as an HTML string: the page's security policy refuses style attributes
 * that come from parsing. A formula that is none is shown as its source.
 */
export function Formula({ tex, display }: { readonly tex: string; readonly display: boolean }) {
  const place = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null) return;
    try {
      katex.render(tex, element, { ...limits, displayMode: display });
    } catch (error) {
      element.textContent = tex;
      element.title = error instanceof Error ? error.message : String(error);
    }
  }, [tex, display]);
  return <span ref={place} className={display ? 'formula formula-display' : 'formula'} dir="ltr" />;
}
