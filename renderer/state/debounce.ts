/** One delayed call for many; flush() makes it happen now, for example before the page goes away. */
export interface Debounced<A extends readonly unknown[]> {
  (...args: A): void;
  flush(): void;
  cancel(): void;
}

export function debounce<A extends readonly unknown[]>(delayMs: number, run: (...args: A) => void): Debounced<A> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last: A | null = null;
  const fire = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const args = last;
    last = null;
    if (args !== null) run(...args);
  };
  const call = (...args: A): void => {
    last = args;
    clearTimeout(timer);
    timer = setTimeout(fire, delayMs);
  };
  return Object.assign(call, {
    flush: fire,
    cancel: () => {
      clearTimeout(timer);
      last = null;
    },
  });
}
