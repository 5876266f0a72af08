import { useEffect, useState } from 'react';

import type { ErrorInfo } from '../../../main/contract/errors.ts';
import type { Reply, Request, RouteName } from '../../../main/contract/ipc.ts';
import { request } from '../../bridge.ts';
import { errorInfo } from '../../state/errors.ts';

export interface Asked<T> {
  /** null: not known yet, not asked for, or failed. */
  readonly value: T | null;
  readonly error: ErrorInfo | null;
}

const nothing: Asked<never> = { value: null, error: null };

/** Asks main once per input and `version`; null asks nothing. While a newer version is asked for, the last one stays. */
export function useAsked<N extends RouteName>(route: N, input: Request<N> | null, version = 0): Asked<Reply<N>> {
  const text = JSON.stringify(input);
  const [found, setFound] = useState<{ readonly text: string; readonly asked: Asked<Reply<N>> } | null>(null);
  useEffect(() => {
    const parsed = JSON.parse(text) as Request<N> | null;
    if (parsed === null) return undefined;
    let current = true;
    request(route, parsed).then(
      (value) => current && setFound({ text, asked: { value, error: null } }),
      (thrown: unknown) => current && setFound({ text, asked: { value: null, error: errorInfo(thrown) } }),
    );
    return () => {
      current = false;
    };
  }, [route, text, version]);
  return found !== null && found.text === text ? found.asked : nothing;
}
